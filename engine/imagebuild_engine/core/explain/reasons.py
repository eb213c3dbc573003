"""Why steps that run are not taken from a cache. Pure: what a build did and what a plan foresees are asked alike.

A step is compared with the best candidate: of all images and caches that the sources have, the one that knows the most
of the build's steps. Reasons that lie in the caches come first (there is none, it may not be used, it has lost
something), then what differs of the step itself (`differences.py`), then what became of the steps below it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ..miss import MissReason
from ..oci import Digest
from .align import aligned
from .components import VERSION, Components, StepComponents
from .differences import Difference, arrow, difference
from .history import History, from_history

_OUTCOMES = {
    "not_found": MissReason.SOURCE_NOT_FOUND,
    "unauthorized": MissReason.SOURCE_UNAUTHORIZED,
    "untrusted": MissReason.SOURCE_UNTRUSTED,
    "invalid": MissReason.METADATA_INVALID,
    "timeout": MissReason.SOURCE_UNAVAILABLE,
    "error": MissReason.SOURCE_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedStep:
    """One step of the build, in the order of their numbers, and what the caches said of it."""

    made_of: StepComponents
    alone: bool = False
    """It rests on nothing, so no cache is asked for it."""
    disabled: bool = False
    """Caches were not to be asked (--no-cache)."""
    known: bool = False
    """A record describes it on these very inputs, but has no result that can be had."""
    lost: str = ""
    """Why a result that was promised could not be delivered."""
    keys: frozenset[Digest] = frozenset()
    """All keys that any version of BuildKit gives it."""
    roots: frozenset[Digest] = frozenset()
    """The keys of the images that it rests on directly."""
    contents: tuple[frozenset[Digest], ...] = ()
    """Of each input that was read, the keys of its content."""
    command: str = ""
    """Of a RUN its arguments, as a history shows them."""
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Its variables. They are compared and never told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An image or cache that a step may be compared with. `name` is REF@DIGEST."""

    name: str
    keys: frozenset[Digest] = frozenset()
    """Of its records."""
    components: Components | None = None
    platform: str = ""
    """Of an image."""
    history: History | None = None
    """Of an image: what its config tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedSource:
    """A cache source: how asking it ended, what was there, and the keys of records that were too old to be used."""

    ref: str
    outcome: str
    candidates: tuple[Candidate, ...] = ()
    by_step: bool = False
    """It is asked for one step at a time, so it has no candidates."""
    expired: frozenset[Digest] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """Why one step runs. `compared_with` is a candidate's name, empty where there is none."""

    reason: MissReason
    detail: tuple[str, ...] = ()
    more: int = 0
    compared_with: str = ""


def _best(steps: Sequence[AskedStep], sources: Sequence[AskedSource], platform: str) -> Candidate | None:
    """The candidate that knows the most steps; of equals one that can tell more, then the first."""
    found = [candidate for source in sources for candidate in source.candidates if _says_something(candidate)]
    ours = [step.made_of for step in steps]

    def worth(candidate: Candidate) -> tuple[bool, int, bool]:
        same_platform = candidate.platform in ("", platform)
        known = {number for number, step in enumerate(steps, 1) if step.keys & candidate.keys}
        if candidate.components:
            theirs = candidate.components.steps
            pairs = aligned(theirs, ours).items()
            known |= {now for now, before in pairs if theirs[before - 1].instruction == ours[now - 1].instruction}
        return same_platform, len(known), candidate.components is not None

    return max(found, key=worth, default=None)


def _says_something(candidate: Candidate) -> bool:
    return bool(candidate.keys or candidate.components)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The build beside the best candidate. Made once; then asked for one step after the other."""

    steps: Sequence[AskedStep]
    sources: Sequence[AskedSource]
    platform: str
    best: Candidate | None = None
    same_step: Mapping[int, int] = field(default_factory=dict)
    """From the steps' numbers to those of the best candidate's."""

    @classmethod
    def of(cls, steps: Sequence[AskedStep], sources: Sequence[AskedSource], *, platform: str) -> "Explanation":
        """`steps` are all of the build, `platform` is what it is for. What was read need not be known yet."""
        best = _best(steps, sources, platform)
        theirs = best.components.steps if best and best.components else ()
        same_step = aligned(theirs, [step.made_of for step in steps])
        return cls(steps=steps, sources=sources, platform=platform, best=best, same_step=same_step)

    def why(self, number: int, step: AskedStep, runs: Collection[int]) -> Miss:
        """Exactly one reason for a step that runs. `step` is the one of that number with all that is known by now;
        `runs` are the numbers of the steps that run.
        """
        if step.disabled:
            return Miss(reason=MissReason.CACHE_DISABLED)
        if step.alone:
            return Miss(reason=MissReason.UNCACHEABLE, detail=("it rests on nothing that a cache could know",))
        if not self.sources:
            return Miss(reason=MissReason.NO_CACHE_SOURCE)
        if step.lost:
            return self._compared(MissReason.BLOB_MISSING, step.lost)
        if step.known:
            text = "the cache knows the step, but has not its layer"
            return self._compared(MissReason.INTERMEDIATE_STAGE_NOT_EXPORTED, text)
        if self.best is None:
            return self._without_candidate(step)
        return self._by_candidate(number, step, self.best, self._parent(step, runs))

    def _compared(self, reason: MissReason, *detail: str) -> Miss:
        return Miss(reason=reason, detail=detail, compared_with=self.best.name if self.best else "")

    def _without_candidate(self, step: AskedStep) -> Miss:
        """No source has anything to compare with: the first one that says why, says it."""
        if self._expired(step):
            return self._compared(MissReason.EXPIRED)
        if any(source.by_step and source.outcome in ("used", "unused") for source in self.sources):
            return Miss(reason=MissReason.STEP_NEW)
        for source in self.sources:
            if source.outcome in _OUTCOMES:
                # What exactly went wrong stands beside the source, once and not at every step.
                return Miss(reason=_OUTCOMES[source.outcome], detail=(source.ref,))
        return Miss(reason=MissReason.NO_INLINE_METADATA, detail=(self.sources[0].ref,))

    def _by_candidate(self, number: int, step: AskedStep, best: Candidate, parent: int | None) -> Miss:
        if best.platform not in ("", self.platform):
            return self._compared(MissReason.PLATFORM_MISMATCH, arrow(best.platform, self.platform))
        if best.components and best.components.version != VERSION and not step.keys & best.keys:
            text = f"components of version {best.components.version}, not {VERSION}"
            return self._compared(MissReason.FORMAT_VERSION_MISMATCH, text)
        if best.components and best.components.steps:
            return self._by_components(number, step, best.components, parent)
        return self._by_records(step, best, parent)

    def _by_components(self, number: int, step: AskedStep, theirs: Components, parent: int | None) -> Miss:
        other = self.same_step.get(number)
        if other is None:
            return self._compared(MissReason.STEP_NEW)
        found = difference(theirs.steps[other - 1], step.made_of, self.same_step)
        return self._told(found) if found else self._unchanged(step, parent)

    def _by_records(self, step: AskedStep, best: Candidate, parent: int | None) -> Miss:
        """As far as keys and an image's history say: there are no components beside them."""
        if step.keys & best.keys:
            if parent is None and step.roots and not step.roots & best.keys:
                now = next(f"{item.name}@{item.digest}" for item in step.made_of.inputs if item.kind == "image")
                return self._compared(MissReason.BASE_IMAGE_CHANGED, f"→ {now}")
            if any(not keys & best.keys for keys in step.contents):
                return self._compared(MissReason.FILES_CHANGED, "the cache does not tell which")
            return self._unchanged(step, parent)
        others = {other.command for other in self.steps} - {step.command}
        found = (
            from_history(best.history, step.command, step.values, step.made_of, others=others) if best.history else None
        )
        if found is None:
            return self._unchanged(step, parent) if self._expired(step) else self._compared(MissReason.STEP_NEW)
        return self._told(found)

    def _told(self, found: Difference) -> Miss:
        name = self.best.name if self.best else ""
        return Miss(reason=found.reason, detail=found.detail, more=found.more, compared_with=name)

    def _unchanged(self, step: AskedStep, parent: int | None) -> Miss:
        """The step is what it was: then what is below it had to run, or the cache has not kept it."""
        if self._expired(step):
            return self._compared(MissReason.EXPIRED)
        if parent is not None:
            text = f"step {parent}: {self.steps[parent - 1].made_of.instruction}"
            return self._compared(MissReason.PARENT_MISSED, text)
        return self._compared(MissReason.INTERMEDIATE_STAGE_NOT_EXPORTED, "the cache has no record of it")

    @staticmethod
    def _parent(step: AskedStep, runs: Collection[int]) -> int | None:
        """The first step that it rests on and that runs."""
        below = (item.step for item in step.made_of.inputs if item.kind == "step")
        return next((number for number in below if number in runs), None)

    def _expired(self, step: AskedStep) -> bool:
        return any(step.keys & source.expired for source in self.sources)
