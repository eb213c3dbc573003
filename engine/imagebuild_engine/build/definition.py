"""What is to be built, before anything is done: options from the request, the graph from the Dockerfile."""

import platform as machine

from ..contract import BuildRequest
from ..core.dockerfile import Dockerfile
from ..core.frontend import BuildOptions, Lowered, lower
from ..core.oci import InvalidPlatform, Platform
from .failures import NotSupported, SourceFailed
from .pins import Pinner

_MAX_ONBUILD_ROUNDS = 16


def build_options(request: BuildRequest) -> BuildOptions:
    """Raises NotSupported for a platform that cannot be built for."""
    return BuildOptions(
        target=request.target,
        build_args=request.build_args,
        labels=request.labels,
        platform=target_platform(request.platform),
        build_platform=target_platform(""),
        no_cache=request.no_cache,
        source_date_epoch=request.source_date_epoch,
    )


def target_platform(text: str) -> Platform:
    """The platform that the request names; nothing means the machine's own. Raises NotSupported."""
    own = Platform("linux", machine.machine()).normalized()
    if not text:
        return own
    try:
        wanted = Platform.parse(text)
    except InvalidPlatform as error:
        raise NotSupported(str(error)) from error
    if wanted != own:
        raise NotSupported(f"not supported yet: building for {wanted} on {own}")
    return wanted


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
