"""BuildKit's build checks: beside a build, and on their own (`imagebuild build --check`)."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from ..contract import BuildRequest, FailureResult
from ..core.checks import Facts, Report, check
from ..core.dockerfile import Dockerfile, DockerfileError, IgnoreMatcher, parse_dockerfile
from ..core.frontend import BuildOptions, Pins, predefined_args
from ..host.registry import DockerCredentials, RegistryClient
from .definition import build_options, lower_pinned
from .failures import failure_of
from .pins import Pinner
from .progress import Notice, View
from .remote import RemoteFiles
from .settings import Settings
from .source import fetch_source, open_context, read_dockerfile
from .surroundings import Surroundings

_NOTICES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What `--check` came to. `failure`: why the Dockerfile could not be built; its findings are told all the same."""

    report: Report = field(default_factory=Report)
    dockerfile: Dockerfile | None = None
    error: DockerfileError | None = None
    failure: FailureResult | None = None


def report_of(
    dockerfile: Dockerfile,
    options: BuildOptions,
    pins: Pins,
    ignored: IgnoreMatcher | None,
    stages: Collection[int] | None,
) -> Report:
    """The findings of these stages; None is all of them. Raises DockerfileError for a wrong `# check=`."""
    facts = Facts(
        platform=options.platform,
        build_platform=options.build_platform,
        predefined=predefined_args(options, dockerfile),
        build_args=options.build_args,
        images={(request.reference, request.platform): image.config for request, image in pins.images.items()},
        ignored=ignored,
        stages=stages,
    )
    return check(dockerfile, facts)


def warn(report: Report, dockerfile: Dockerfile, view: View) -> None:
    """Shows the findings of a build, one line each. Raises DockerfileError if they are to fail it."""
    for violation in report.violations[:_NOTICES]:
        view.show(Notice(text=str(violation), warning=True))
    if len(report.violations) > _NOTICES:
        more = len(report.violations) - _NOTICES
        view.show(Notice(text=f"{more} more findings: `imagebuild build --check` shows them", warning=True))
    if (error := report.failure(dockerfile.source)) is not None:
        raise error


async def run_checks(request: BuildRequest, settings: Settings) -> Checked:
    """Checks without building: of the target's stages, or of all if the request names none. Never raises.

    Base images are asked for, since their variables count, but nothing is pulled and nothing runs.
    """
    try:
        async with asyncio.timeout(request.timeout_seconds):
            return await _run_checks(request, settings)
    except BaseException as error:
        if isinstance(error, SystemExit | GeneratorExit):
            raise
        return _failed(Checked(), error)


async def _run_checks(request: BuildRequest, settings: Settings) -> Checked:
    with Surroundings(settings.state) as surroundings:
        source = await fetch_source(request, settings, surroundings.directory)
        context = await asyncio.to_thread(open_context, request, source)
        name, text = read_dockerfile(request, source)
        dockerfile = parse_dockerfile(text, name=name)
        options = replace(build_options(request), all_stages=not request.target)
        stages: Collection[int] | None = () if request.target else None
        credentials = DockerCredentials(settings.docker_config)
        async with RegistryClient(credentials, insecure=request.insecure_registries) as client:
            pinner = Pinner(client, RemoteFiles(surroundings.directory / "remote", local_git=settings.local_git))
            problem: Exception | None = None
            try:
                lowered = await lower_pinned(dockerfile, options, pinner)
                stages = lowered.stages if request.target else None
            except Exception as error:
                problem = error
            report = report_of(dockerfile, options, pinner.pins, context.ignored, stages)
    checked = Checked(report=report, dockerfile=dockerfile)
    return checked if problem is None else _failed(checked, problem)


def _failed(checked: Checked, error: BaseException) -> Checked:
    known = error if isinstance(error, DockerfileError) else None
    return replace(checked, error=known, failure=failure_of(error))
