"""The cache sources of a build: which images are asked, in declared order, pinned by digest where we know it.

`previous`, `imageBuildRef` and `selector` are answered from statuses; a plain image is left to the builder, which has
the credentials. The shared cache comes last. What cannot be found or may not be believed is an outcome (`not_found`,
`untrusted`) and is not asked.

Trust has two sides. Without `cache.trust`, what the spec itself names is believed: its author could as well have put
it into the Dockerfile. The administrator's bound holds beside that, and nothing in a spec can widen it.
"""

from dataclasses import dataclass, field

from imagebuild_engine.contract import InvalidReference, Reference, matches_any
from msgspec.structs import replace

from ..resource import CacheEntry, Identity, Import, Spec, Status

MAX_SOURCES = 20
"""Images of one build, beside the shared cache. (A selector can find many.)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sibling:
    """Another ImageBuild, as far as cache and capacity are concerned."""

    namespace: str
    name: str
    labels: dict[str, str] = field(default_factory=dict)
    status: Status = field(default_factory=Status)


def resolve(
    identity: Identity,
    spec: Spec,
    status: Status,
    siblings: tuple[Sibling, ...],
    bound: tuple[str, ...] | None = None,
) -> tuple[Import, ...]:
    """One Import for each source to ask, one with an outcome for each that is not asked; no image twice.

    `bound` is the administrator's: patterns of repositories that any build may believe, None for all.
    """
    cache = spec.cache
    if cache.disabled:
        return ()
    others = tuple(found for found in siblings if found.namespace == identity.namespace and found.name != identity.name)
    found = [one for entry in cache.from_ for one in _entry(entry, spec, status, others)]
    unique: dict[tuple[str, str], Import] = {}
    for one in found:
        # A ref that two entries name is asked once, for the first of them.
        unique.setdefault((one.ref, "" if one.ref else one.reason), one)
    sources = list(unique.values())[:MAX_SOURCES]
    if cache.shared is not None:
        sources.append(Import(from_="shared", ref=cache.shared.repository))
    own = cache.trust.repositories if cache.trust else None
    return tuple(_judged(_judged(one, own, "spec.cache.trust"), bound, "the administrator") for one in sources)


def _judged(source: Import, trusted: tuple[str, ...] | None, whose: str) -> Import:
    if trusted is None or source.outcome or not source.ref:
        return source
    name = Reference.parse(source.ref).name
    if matches_any(name, trusted):
        return source
    return replace(source, outcome="untrusted", reason=f"{name} is not among the repositories that {whose} trusts")


def _entry(entry: CacheEntry, spec: Spec, status: Status, others: tuple[Sibling, ...]) -> list[Import]:
    if entry.previous is not None:
        return _previous(spec, status)
    if entry.image_build_ref is not None:
        name = entry.image_build_ref.name
        return [_of_build(next((found for found in others if found.name == name), None), name)]
    if entry.selector is not None:
        return _selected(entry.selector.match_labels, entry.selector.limit, others)
    assert entry.image is not None  # parse_spec: exactly one member
    reference = Reference.parse(entry.image)
    return [Import(from_="image", ref=str(reference), digest=str(reference.digest or ""))]


def _previous(spec: Spec, status: Status) -> list[Import]:
    """The last success by digest; then, for where there is none or the registry has lost it, the output's tag."""
    by_tag = Import(from_="previous", ref=str(spec.image))
    if status.image is not None and _pinned(status.image.ref):
        return [Import(from_="previous", ref=status.image.ref, digest=status.image.digest), by_tag]
    last = next((found for found in reversed(status.history) if found.outcome == "Succeeded" and found.digest), None)
    if last is not None and _pinned(f"{spec.image.name}@{last.digest}"):
        return [Import(from_="previous", ref=f"{spec.image.name}@{last.digest}", digest=last.digest), by_tag]
    return [by_tag]


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
