"""What a finished build said of its steps, read again from where it left that."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from ..contract import BuildResult, CacheSource, MissReason, StepResult
from ..core.cache import matches
from ..core.explain import Difference, aligned, difference
from ..host.content import ContentError
from ..host.registry import RegistryError
from .attached import RESULT_MEDIA_TYPE, read_small
from .bounded_place import BoundedPlace
from .cache_place import Place
from .cache_source import FoundCache
from .inspect import Inspected, opened_cache

_METADATA_BYTES = 16 << 20


class Unexplained(Exception):
    """There is nothing that could be explained; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A build. Without a `result` there are only the steps that the image's cache knows, in `inspected`; `problem` says
    why.
    """

    ref: str
    digest: str
    result: BuildResult | None = None
    inspected: Inspected | None = None
    problem: str = ""


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
    """From the attached cache of an image, else from its own records. Raises CacheUnreadable."""
    async with opened_cache(source, platform, insecure) as (place, inspected):
        result, problem = await _left_result(place, inspected.cache)
    return Explained(ref=source.ref, digest=str(inspected.digest), result=result, inspected=inspected, problem=problem)


async def _left_result(place: Place, cache: FoundCache) -> tuple[BuildResult | None, str]:
    """What the build that made the image left of its result, or why there is nothing. Whoever made it is not believed:
    it is shown as text, no more.
    """
    if cache.attached is None:
        return None, cache.problem or "it has no attached cache"
    try:
        data = await read_small(BoundedPlace(place), cache.attached.manifest, RESULT_MEDIA_TYPE)
        if data is None:
            return None, "its attached cache says nothing of that"
        return msgspec.json.decode(data, type=BuildResult), ""
    except (RegistryError, ContentError, OSError, ValueError, RecursionError) as error:
        return None, f"what its attached cache says of that cannot be read: {error}"[:300]


def beside(image: Inspected, against: Inspected) -> tuple[StepResult, ...]:
    """What a build of `image` would find in the cache of `against`, step by step, and why not the rest. Nothing if one
    of them does not say what its steps were made of.
    """
    ours, theirs = (item.cache.components for item in (image, against))
    if ours is None or theirs is None or not theirs.steps:
        return ()
    same_step = aligned(theirs.steps, ours.steps)
    found = matches(against.cache.records, image.cache.records)
    there = {image.cache.records[number].digest for number, others in found.items() if others}
    keys = Counter(key for step in ours.steps for key in step.keys)
    name = f"{against.ref}@{against.digest}" if "@" not in against.ref else against.ref
    steps = []
    for number, step in enumerate(ours.steps, 1):
        other = same_step.get(number)
        differs = (
            difference(theirs.steps[other - 1], step, same_step) if other else Difference(reason=MissReason.STEP_NEW)
        )
        known = any(key in there for key in step.keys)
        told = StepResult(number=number, stage=step.stage, line=0, instruction=step.instruction, outcome="hit")
        if known and (differs is None or max(keys[key] for key in step.keys) == 1):
            steps.append(replace(told, source=name, saved_seconds=step.seconds))
            continue
        why = differs or Difference(reason=MissReason.PARENT_MISSED)
        miss = replace(told, outcome="miss", reason=why.reason, detail=why.detail, more=why.more, compared_with=name)
        steps.append(miss)
    return tuple(steps)
