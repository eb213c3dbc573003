"""What a finished build said of its steps, read again from where it left that."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ..contract import BuildResult, CacheSource
from .inspect import Inspected, inspect_cache

_METADATA_BYTES = 16 << 20


class Unexplained(Exception):
    """There is nothing that could be explained; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A build. Without a `result` there are only the steps that the image's cache knows, in `inspected`."""

    ref: str
    digest: str
    result: BuildResult | None = None
    inspected: Inspected | None = None


def explain_file(path: Path) -> Explained:
    """From a build's metadata file. Raises Unexplained."""
    try:
        with path.open("rb") as file:
            data = file.read(_METADATA_BYTES + 1)
        if len(data) > _METADATA_BYTES:
            raise Unexplained(f"{path} is too large for a metadata file")
        value: Any = msgspec.json.decode(data)
        if not isinstance(value, dict) or "imagebuild.result" not in value:
            raise Unexplained(f"{path} is no metadata file of a build: it has no imagebuild.result")
        result = msgspec.convert(value["imagebuild.result"], type=BuildResult)
    except (OSError, msgspec.MsgspecError, RecursionError) as error:
        raise Unexplained(f"{path} cannot be read as a metadata file: {error}") from error
    image = result.image
    return Explained(ref=", ".join(image.refs) if image else "", digest=image.digest if image else "", result=result)


async def explain_image(source: CacheSource, platform: str, insecure: Collection[str]) -> Explained:
    """From the caches of an image. Raises CacheUnreadable."""
    inspected = await inspect_cache(source, platform, insecure)
    return Explained(ref=source.ref, digest=str(inspected.digest), inspected=inspected)
