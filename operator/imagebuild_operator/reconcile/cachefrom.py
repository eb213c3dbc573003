"""`cache.from` resolved: which images are asked for cache, in declared order, pinned by digest where we know it.

`previous`, `imageBuildRef` and `selector` are answered from statuses; a plain image is left to the builder, which has
the credentials. What cannot be found is an outcome (`not_found`), never a failed build.
"""

from dataclasses import dataclass, field

from imagebuild_engine.contract import InvalidReference, Reference

from ..resource import CacheEntry, Identity, Import, Spec, Status

MAX_SOURCES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Sibling:
    """Another ImageBuild, as far as cache and capacity are concerned."""

    namespace: str
    name: str
    labels: dict[str, str] = field(default_factory=dict)
    status: Status = field(default_factory=Status)


def resolve(identity: Identity, spec: Spec, status: Status, siblings: tuple[Sibling, ...]) -> tuple[Import, ...]:
    """One Import for each image to ask, and one with outcome `not_found` for each that is missing; no image twice."""
    others = tuple(found for found in siblings if found.namespace == identity.namespace and found.name != identity.name)
    found = [one for entry in spec.cache.from_ for one in _entry(entry, spec, status, others)]
    unique: dict[tuple[str, str], Import] = {}
    for one in found:
        # A ref that two entries name is asked once, for the first of them.
        unique.setdefault((one.ref, "" if one.ref else one.reason), one)
    return tuple(unique.values())[:MAX_SOURCES]


def _entry(entry: CacheEntry, spec: Spec, status: Status, others: tuple[Sibling, ...]) -> list[Import]:
    if entry.previous is not None:
        return [_previous(spec, status)]
    if entry.image_build_ref is not None:
        name = entry.image_build_ref.name
        return [_of_build(next((found for found in others if found.name == name), None), name)]
    if entry.selector is not None:
        return _selected(entry.selector.match_labels, entry.selector.limit, others)
    assert entry.image is not None  # parse_spec: exactly one member
    reference = Reference.parse(entry.image)
    return [Import(from_="image", ref=str(reference), digest=str(reference.digest or ""))]


def _previous(spec: Spec, status: Status) -> Import:
    """The last success by digest; where there is none, what the output's tag points to now."""
    if status.image is not None and _pinned(status.image.ref):
        return Import(from_="previous", ref=status.image.ref, digest=status.image.digest)
    last = next((found for found in reversed(status.history) if found.outcome == "Succeeded" and found.digest), None)
    if last is not None and _pinned(f"{spec.image.name}@{last.digest}"):
        return Import(from_="previous", ref=f"{spec.image.name}@{last.digest}", digest=last.digest)
    return Import(from_="previous", ref=str(spec.image))


def _of_build(build: Sibling | None, name: str) -> Import:
    if build is None:
        return Import(from_="imagebuild", outcome="not_found", reason=f"there is no ImageBuild {name}")
    image = build.status.image
    if image is None or not _pinned(image.ref):
        return Import(from_="imagebuild", outcome="not_found", reason=f"ImageBuild {name} has no image yet")
    return Import(from_="imagebuild", ref=image.ref, digest=image.digest)


def _selected(labels: dict[str, str], limit: int, others: tuple[Sibling, ...]) -> list[Import]:
    """The newest successes first; equal times by name, so that the order does not depend on the list's."""
    matching = [
        found
        for found in others
        if labels.items() <= found.labels.items() and found.status.image and _pinned(found.status.image.ref)
    ]
    matching.sort(key=lambda found: found.name)
    matching.sort(key=lambda found: _succeeded_at(found.status), reverse=True)
    if not matching:
        wanted = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        return [Import(from_="selector", outcome="not_found", reason=f"no ImageBuild with an image matches {wanted}")]
    images = [found.status.image for found in matching[:limit]]
    return [Import(from_="selector", ref=image.ref, digest=image.digest) for image in images if image]


def _succeeded_at(status: Status) -> str:
    """RFC 3339 in UTC sorts as text."""
    if status.phase == "Succeeded":
        return status.completion_time
    done = (found.completion_time for found in reversed(status.history) if found.outcome == "Succeeded")
    return next(done, "")


def _pinned(ref: str) -> bool:
    try:
        return Reference.parse(ref).digest is not None
    except InvalidReference:
        return False
