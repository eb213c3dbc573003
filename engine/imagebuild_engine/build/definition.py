"""What is to be built, before anything is done: options from the request, the graph from the Dockerfile."""

import platform as machine
from pathlib import Path

from ..contract import BuildRequest
from ..core.dockerfile import Dockerfile
from ..core.frontend import BuildOptions, Lowered, lower
from ..core.oci import InvalidPlatform, Platform
from .failures import NotSupported, SourceFailed
from .pins import Pinner

_MAX_ONBUILD_ROUNDS = 16


def build_options(request: BuildRequest) -> BuildOptions:
    """Raises NotSupported for a platform that is none."""
    return BuildOptions(
        target=request.target,
        build_args=request.build_args,
        labels=request.labels,
        platform=target_platform(request.platform),
        platform_requested=bool(request.platform),
        build_platform=own_platform(),
        no_cache=request.no_cache,
        no_cache_stages=frozenset(name.lower() for name in request.no_cache_stages),
        contexts={name: f"local:{name}" if _is_directory(value) else value for name, value in request.contexts.items()},
        source_date_epoch=request.source_date_epoch,
    )


def context_directories(request: BuildRequest) -> dict[str, Path]:
    """The named contexts that are directories."""
    return {name: Path(value) for name, value in request.contexts.items() if _is_directory(value)}


def _is_directory(context: str) -> bool:
    return context.startswith("/")


def own_platform() -> Platform:
    """The machine's."""
    return Platform("linux", machine.machine()).normalized()


def target_platform(text: str) -> Platform:
    """The platform that the request names; nothing means the machine's own. Raises NotSupported."""
    if "," in text:
        raise NotSupported(f"not supported yet: several platforms at once ({text}); build one after the other")
    try:
        return Platform.parse(text, own=own_platform()) if text else own_platform()
    except InvalidPlatform as error:
        raise NotSupported(str(error)) from error


async def lower_pinned(dockerfile: Dockerfile, options: BuildOptions, pinner: Pinner) -> Lowered:
    """The graph; what it needs to know of the world outside is asked for, until nothing is missing."""
    for _ in range(_MAX_ONBUILD_ROUNDS):
        lowered = lower(dockerfile, options, pinner.pins)
        if isinstance(lowered, Lowered):
            return lowered
        try:
            await pinner.pin(lowered)
        except SourceFailed as error:
            raise error.located(dockerfile.source) from error
    raise NotSupported("the base images' ONBUILD triggers name ever more images")
