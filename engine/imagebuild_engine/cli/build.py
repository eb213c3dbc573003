"""`imagebuild build`: buildx's options, by name and meaning."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ..contract import (
    TERMINATION_MESSAGE_LIMIT,
    BuildRequest,
    BuildResult,
    Dockerfile,
    InvalidWire,
    Output,
    decode_request,
    encode_result,
    layout,
)
from . import cache_options, cache_use, options, report_file, steps
from .contexts import named_contexts
from .failure import failed

if TYPE_CHECKING:
    from ..build import Settings

# buildx's options that this version does not have. Each is named here so that it is refused, not ignored.
_NOT_YET = {
    "--annotation": True,
    "--attest": True,
    "--load": False,
    "--provenance": True,
    "--sbom": True,
}


def _refused(command: Callable[..., Any]) -> Callable[..., Any]:
    def refuse(_context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value not in (None, False, ()):
            raise click.UsageError(f"not supported yet: {parameter.opts[0]}")

    for name, takes_value in _NOT_YET.items():
        command = click.option(
            name, is_flag=not takes_value, hidden=True, expose_value=False, callback=refuse, help="not supported yet"
        )(command)
    return command


def _with_more(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed((*cache_use.OPTIONS, *steps.OPTIONS)):
        command = option(command)
    return command


@click.command()
@click.argument("context", required=False)
@click.option(
    "-f",
    "--file",
    "file",
    default=None,
    help="The Dockerfile (default: CONTEXT/Dockerfile); - reads it from standard input.",
)
@click.option("-t", "--tag", "tags", multiple=True, help="Name of the image; repeatable.")
@click.option("--target", default="", help="The stage to build (default: the last one).")
@click.option("--build-arg", "build_args", multiple=True, metavar="NAME=VALUE", help="Value of an ARG; repeatable.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="A label of the image; repeatable.")
@click.option("--platform", default="", help="os/arch[/variant]; a step that has to run needs the machine's own.")
@click.option(
    "--cache-from",
    multiple=True,
    help="REF, type=registry,ref=REF or type=local,src=DIRECTORY[,tag=…][,digest=…]; repeatable, the first that has a "
    "step wins. type=steps,ref=REPOSITORY is a step cache, which is asked after all others.",
)
@click.option(
    "--cache-to",
    multiple=True,
    help="type=inline and type=attached[,max-size=…][,keep-cheap=…][,ignore-error=…], which are the default when "
    "pushing; type=registry,ref=REF or type=local,dest=DIRECTORY[,tag=…], "
    "both with [,mode=min|max][,image-manifest=…][,oci-mediatypes=…][,ignore-error=…]; "
    "type=steps,ref=REPOSITORY[,ignore-error=…]; repeatable.",
)
@click.option("--no-cache", is_flag=True, help="Use no cached step.")
@click.option(
    "--no-cache-filter", "no_cache_stages", multiple=True, metavar="STAGE", help="Use no cached step of that stage."
)
@click.option(
    "--build-context",
    "contexts",
    multiple=True,
    metavar="NAME=VALUE",
    help="A directory, docker-image://REF, URL or Git repository in the place of a stage or image of that name.",
)
@click.option("--pull", is_flag=True, expose_value=False, help="Accepted: base images are always looked up anew.")
@click.option("--push", is_flag=True, help="Push the image under its names.")
@click.option("-o", "--output", "outputs", multiple=True, help="type=oci,dest=DIRECTORY,tar=false or type=registry.")
@click.option(
    "--progress",
    type=click.Choice(["auto", "tty", "plain", "quiet", "rawjson"]),
    default="auto",
    show_default=True,
    help="How the build is shown on standard error; rawjson is BuildKit's, for programs.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but the image's digest.")
@click.option("--metadata-file", type=click.Path(dir_okay=False), help="Write the result as JSON.")
@click.option("--report", metavar="FILE", help="Write what became of every step, and why, as one HTML page.")
@click.option("--iidfile", type=click.Path(dir_okay=False), help="Write the digest of the image's config.")
@click.option(
    "--insecure-registry",
    "insecure",
    multiple=True,
    metavar="HOST",
    help="Speak plain HTTP with that registry; repeatable.",
)
@click.option(
    "--request",
    "request_file",
    type=click.Path(),
    help="A whole build from one JSON file; no other option may be given but --progress.",
)
@click.option(
    "--state",
    type=click.Path(file_okay=False),
    default=None,
    help="Directory for snapshots and blobs (default: a temporary one).",
)
@click.option("--check", is_flag=True, help="Check the Dockerfile only: --call=check.")
@click.option("--call", default="build", show_default=True, help="build, check, or check,format=json.")
@_with_more
@_refused
def build(context: str | None, **given: Any) -> None:
    """Build an image from CONTEXT: a directory, a Git URL (URL#revision:directory), or a tar archive or Dockerfile that
    is a file, an http(s) URL or - for standard input."""
    request_file = given.pop("request_file")
    checks = options.checks(given.pop("call"), given.pop("check"))
    report_page = report_file.checked(given.pop("report"), in_pod=bool(request_file), checks=checks is not None)
    request = requested(context, request_file, given)
    settings = settings_for(given["state"], in_pod=bool(request_file))
    if checks is not None:
        from .check import check

        raise click.exceptions.Exit(check(request, settings, checks))
    settle(given["state"], in_pod=bool(request_file))
    style = "quiet" if given["quiet"] else given["progress"]
    result = asyncio.run(_run(request, style, settings))
    code = _report(result, given)
    if report_page:
        report_file.write(report_page, result)
    if request_file:
        _leave_termination_message(result)
    raise click.exceptions.Exit(code)


def requested(context: str | None, request_file: str | None, given: dict[str, Any]) -> BuildRequest:
    """What is to be built: by the request file if there is one, else by the options."""
    if request_file:
        return _request_from_file(Path(request_file))
    if context is None:
        raise click.UsageError("CONTEXT is missing: a directory, a Git URL, an archive, or - for standard input")
    return _request_from_options(context, given)


def settle(state: str | None, *, in_pod: bool) -> None:
    """Where only a user namespace of our own allows mounts, go there first: this very command runs again inside.


    It has to come before the first thread. Root on a machine of its own needs none of it and is not asked.
    """
    if not in_pod and os.geteuid() == 0:
        return
    from ..host.executor import (
        ExecutorUnavailable,
        ProbeFailed,
        choose,
        enter_user_namespace,
        in_own_user_namespace,
        probe,
    )

    if in_own_user_namespace():
        return
    place = Path(state or (layout.STATE_DIRECTORY if in_pod else tempfile.gettempdir()))
    try:
        if choose(probe(place)).own_user_namespace:
            enter_user_namespace([sys.executable, *sys.argv])
    except ProbeFailed:
        return  # the build says so where it needs to know
    except ExecutorUnavailable as error:
        print(f"warning: {error}", file=sys.stderr)


async def _run(request: BuildRequest, style: str, settings: "Settings") -> BuildResult:
    from ..build import progress, run

    cancel_on_signals()
    view = progress.view(cast("progress.Style", style))
    try:
        return await run(request, settings, view)
    finally:
        view.close()


def cancel_on_signals() -> None:
    """The current task ends in good order when it is interrupted or terminated."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)


def settings_for(state: str | None, *, in_pod: bool) -> "Settings":
    from ..build import Settings

    return Settings(
        state=Path(state or (layout.STATE_DIRECTORY if in_pod else "")) if state or in_pod else None,
        local_git=not in_pod,
        docker_config=Path(layout.DOCKER_CONFIG_DIRECTORY) if in_pod else None,
    )


def _request_from_file(path: Path) -> BuildRequest:
    try:
        return decode_request(path.read_bytes())
    except OSError as error:
        raise click.ClickException(f"the build request cannot be read: {error}") from error
    except InvalidWire as error:
        raise click.ClickException(f"{path}: {error}") from error


def _request_from_options(context: str, given: dict[str, Any]) -> BuildRequest:
    for tag in given["tags"]:
        options.reference("--tag", tag)
    environment = dict(os.environ)
    arguments = options.pairs("--build-arg", given["build_args"], environment)
    layout_directory, push = _outputs(given["outputs"])
    push = push or given["push"]
    if push and not given["tags"]:
        raise click.UsageError("--push needs a name for the image: give --tag")
    caches, inline = cache_options.cache_to(given["cache_to"])
    if push and not given["cache_to"]:
        caches, inline = (cache_options.ATTACHED,), True
    if not push and any(target.type == "attached" for target in caches):
        raise click.UsageError("--cache-to type=attached needs --push: it is kept beside the image at the registry")
    if "BUILDKIT_INLINE_CACHE" in arguments:
        inline = arguments["BUILDKIT_INLINE_CACHE"] not in ("", "0", "false")
    epoch = arguments.get("SOURCE_DATE_EPOCH") or environment.get("SOURCE_DATE_EPOCH") or ""
    if epoch and not epoch.isdecimal():
        raise click.UsageError(f'SOURCE_DATE_EPOCH must be a number of seconds, not "{epoch}"')
    request = BuildRequest(
        source=options.context(context),
        dockerfile=_dockerfile(given["file"], context),
        target=given["target"],
        build_args=arguments,
        labels=options.pairs("--label", given["labels"]),
        platform=given["platform"],
        cache_from=cache_options.cache_from(given["cache_from"]),
        cache_to=caches,
        inline_cache=inline,
        no_cache=given["no_cache"],
        no_cache_stages=tuple(
            name.strip() for text in given["no_cache_stages"] for name in text.split(",") if name.strip()
        ),
        contexts=named_contexts(given["contexts"]),
        output=Output(images=tuple(given["tags"]), push=push, oci_layout=layout_directory),
        insecure_registries=tuple(given["insecure"]),
        source_date_epoch=int(epoch) if epoch else None,
    )
    return steps.added(cache_use.added(request, given), given)


def _dockerfile(file: str | None, context: str) -> Dockerfile:
    """`--file` is relative to the working directory, as in docker; for a Git context it is a path in the repository."""
    if file is None:
        return Dockerfile()
    if file == "-":
        if context == "-":
            raise click.UsageError("standard input cannot be both the context and the Dockerfile")
        return Dockerfile(inline=sys.stdin.read())
    if not Path(context).is_dir():
        return Dockerfile(path=file)
    path, root = Path(file).resolve(), Path(context).resolve()
    if path.is_relative_to(root):
        return Dockerfile(path=str(path.relative_to(root)))
    try:
        return Dockerfile(inline=path.read_text(errors="surrogateescape"))
    except OSError as error:
        raise click.BadParameter(f"cannot be read: {error}", param_hint="--file") from error


def _outputs(values: tuple[str, ...]) -> tuple[str | None, bool]:
    directory, push = None, False
    for value in values:
        given = options.attributes("--output", value)
        match given.get("type"):
            case "registry":
                push = True
            case "image":
                push = push or given.get("push") == "true"
            case "oci" if given.get("tar") == "false" and given.get("dest"):
                directory = given["dest"]
            case "oci":
                raise click.BadParameter(
                    "not supported yet: type=oci as a tar file (give dest=DIRECTORY,tar=false)", param_hint="--output"
                )
            case kind:
                raise click.BadParameter(f"not supported yet: type={kind}", param_hint="--output")
    return directory, push


def _report(result: BuildResult, given: dict[str, Any]) -> int:
    from ..build import metadata

    if given["metadata_file"]:
        Path(given["metadata_file"]).write_bytes(metadata(result))
    if result.failure:
        return failed(result.failure)
    assert result.image is not None
    if given["iidfile"]:
        Path(given["iidfile"]).write_text(result.image.config_digest)
    print(result.image.digest)
    return 0


def _leave_termination_message(result: BuildResult) -> None:
    path = Path(layout.TERMINATION_MESSAGE_FILE)
    if path.exists():
        path.write_bytes(encode_result(result, TERMINATION_MESSAGE_LIMIT))
