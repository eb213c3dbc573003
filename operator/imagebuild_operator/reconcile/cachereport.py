"""What a build's end says of its cache: the status' part, two conditions, events and counts.

The result is what a termination message held: it may be cut, and a hostile step may have written it. So nothing is
concluded from what is missing, and every number and text is bounded.
"""

from imagebuild_engine.contract import BuildResult, CacheExportResult, CacheSourceResult, MissReason, StepResult
from msgspec.structs import replace

from ..resource import Cache, Export, Fact, FirstMiss, Import, Miss, Spec, Status, clip
from .decision import Count, Event, Measure, Observe

_READ = frozenset({"used", "unused"})
_WORST_FIRST = ("failed", "exported", "unchanged", "empty")
_MISSES = 20


def cache_of(chosen: tuple[Import, ...], result: BuildResult) -> Cache:
    """The status of the cache: what was chosen before the attempt, with what the builder says of it."""
    cache = result.cache
    total, hits = bounded(cache.total), bounded(cache.hits)
    misses = [step for step in result.steps if step.outcome == "miss"]
    return Cache(
        summary=f"{hits}/{total}",
        steps_total=total,
        hits=hits,
        misses=bounded(cache.misses),
        uncacheable=bounded(cache.uncacheable),
        hit_ratio_percent=min(100, hits * 100 // total) if total else 0,
        bytes_reused=bounded(result.bytes.reused),
        bytes_pulled=bounded(result.bytes.pulled),
        imports=_imports(chosen, cache.sources),
        first_miss=_first_miss(misses[0]) if misses else None,
        missed_steps=tuple(
            Miss(step=bounded(step.number), reason=step.reason or "") for step in misses[:_MISSES] if step.number > 0
        ),
        export=_export(cache.exports),
    )


def facts_of(spec: Spec, cache: Cache) -> tuple[Fact, ...]:
    """CacheImported and CacheExported, each as far as it is known."""
    return (*_imported(spec, cache), *_exported(spec, cache))


def resolved(spec: Spec, imports: tuple[Import, ...], revision: int, attempt: int) -> Event:
    """Which sources an attempt asks."""
    asked = [one for one in imports if one.ref and not one.outcome and not _stands_in(one, imports)]
    if spec.cache.disabled:
        message = "the cache is disabled: every step runs"
    elif not asked:
        message = "there is no cache source to ask"
    else:
        message = f"cache sources, in this order: {', '.join(f'{one.from_} {one.ref}' for one in asked)}"
    return Event("Normal", "CacheResolved", clip(message, 600), revision, attempt)


def events_of(status: Status, facts: tuple[Fact, ...]) -> tuple[Event, ...]:
    """What is worth telling of the cache of an attempt that has ended."""
    events = [
        Event("Warning", told, message, status.revision, status.attempt)
        for _, _, reason, message in facts
        if (told := _WARNINGS.get(reason))
    ]
    miss = status.cache.first_miss if status.cache else None
    if miss is not None and status.cache is not None:
        text = f"step {miss.step} of {status.cache.steps_total}, line {miss.line}: {miss.instruction}: {miss.reason}"
        text += f": {miss.detail}" if miss.detail else ""
        text += f" (compared with {miss.compared_with})" if miss.compared_with else ""
        events.append(Event("Normal", "CacheMissed", clip(text, 900), status.revision, status.attempt))
    return tuple(events)


_WARNINGS = {
    "PartiallyImported": "CacheImportFailed",
    "ImportFailed": "CacheImportFailed",
    "ExportFailed": "CacheExportFailed",
}


def measures_of(result: BuildResult, imports: tuple[Import, ...]) -> tuple[Measure, ...]:
    """Counted for every attempt that had a result, once that is in the status."""
    cache = result.cache
    measures: list[Measure] = [
        Count("cache_steps_total", (("outcome", outcome),), bounded(amount))
        for outcome, amount in (("hit", cache.hits), ("miss", cache.misses), ("uncacheable", cache.uncacheable))
    ]
    # The steps in a termination message may be the first few only, the counts are of all.
    measures += [
        Count("cache_misses_total", (("reason", reason),), bounded(amount))
        for reason, amount in cache.reasons.items()
        if amount > 0
    ]
    measures += [
        Count("cache_imports_total", (("outcome", source.outcome), ("kind", source.from_)))
        for source in imports
        if source.outcome
    ]
    measures += [
        Observe("cache_import_duration_seconds", one.seconds) for one in cache.sources if 0 < one.seconds < 1e6
    ]
    measures += [Count("cache_exports_total", (("outcome", one.outcome),)) for one in cache.exports]
    if cache.fallbacks > 0:
        lost = (("reason", MissReason.BLOB_MISSING.value),)
        measures.append(Count("cache_fallbacks_total", lost, bounded(cache.fallbacks)))
    moved = (("reused", result.bytes.reused), ("pulled", result.bytes.pulled), ("pushed", result.bytes.pushed))
    measures += [Count("cache_bytes_total", (("direction", way),), bounded(size)) for way, size in moved]
    return tuple(measures)


def bounded(number: int) -> int:
    """A builder's number, kept to what a counter and an int64 can take."""
    return max(0, min(number, 2**53))


def _first_miss(step: StepResult) -> FirstMiss:
    detail = ", ".join(step.detail[:5])
    more = f" and {bounded(step.more)} more" if step.more > 0 else ""
    return FirstMiss(
        stage=step.stage,
        step=bounded(step.number),
        instruction=clip(step.instruction, 120),
        line=bounded(step.line),
        reason=step.reason or "",
        # What is left out is said even where the names before it are long.
        detail=clip(detail, 280) + more,
        compared_with=step.compared_with,
    )


def _imports(chosen: tuple[Import, ...], answers: tuple[CacheSourceResult, ...]) -> tuple[Import, ...]:
    """What was chosen, with the builder's answer by ref; order and kind stay those of the choice."""
    by_ref = {answer.ref: answer for answer in answers}
    merged: list[Import] = []
    for one in chosen:
        answer = by_ref.get(one.ref) if one.ref and not one.outcome else None
        if answer is not None:
            one = replace(
                one,
                digest=answer.digest or one.digest,
                outcome=answer.outcome,
                reason=answer.reason,
                matched_steps=bounded(answer.matched),
                duration_ms=round(answer.seconds * 1000) if 0 <= answer.seconds <= 1e6 else 0,
            )
        merged.append(one)
    # The builder asks for what a tag points to only where the last image is gone.
    gone = {"", "not_found", "untrusted"}
    last = next((one.outcome for one in merged if one.from_ == "previous"), "")
    return tuple(one for one in merged if last in gone or not _stands_in(one, chosen))


def _stands_in(one: Import, imports: tuple[Import, ...]) -> bool:
    """Is it what the output's tag points to, for where the last image is gone?"""
    return one.from_ == "previous" and one.ref != next(first.ref for first in imports if first.from_ == "previous")


def _export(exports: tuple[CacheExportResult, ...]) -> Export | None:
    """The worst of several, and which of them it was."""
    if not exports:
        return None
    outcome = next(one for one in _WORST_FIRST if any(export.outcome == one for export in exports))
    told = [f"{one.type} cache: {one.reason}" for one in exports if one.outcome == outcome and one.reason]
    return Export(outcome=outcome, reason=clip("; ".join(told), 200))


def _imported(spec: Spec, cache: Cache) -> tuple[Fact, ...]:
    if spec.cache.disabled:
        return (("CacheImported", "True", "Disabled", "spec.cache.disabled is true"),)
    # That nobody has built this yet, or shared anything yet, is no trouble.
    sources = [one for one in cache.imports if not (one.from_ in {"previous", "shared"} and one.outcome == "not_found")]
    if not sources:
        return (("CacheImported", "True", "NoSources", "there is nothing yet to take cached steps from"),)
    known = [one for one in sources if one.outcome]
    if not known:
        return ()
    troubles = [one for one in known if one.outcome not in _READ]
    if not troubles:
        if cache.hits == 0 and not any(one.outcome == "used" for one in known):
            message = f"sources read: {len(known)}; none of them has a step of this build"
            return (("CacheImported", "False", "NothingUsable", message),)
        message = f"sources read: {len(known)}; steps found: {cache.hits}"
        return (("CacheImported", "True", "AllImported", message),)
    reason = "ImportFailed" if len(troubles) == len(known) else "PartiallyImported"
    told = "; ".join(_trouble(one) for one in troubles[:3])
    message = f"cache sources that could not be used: {len(troubles)} of {len(known)}; {told}"
    return (("CacheImported", "False", reason, clip(message, 500)),)


def _trouble(source: Import) -> str:
    why = f" ({source.reason})" if source.reason else ""
    return f"{source.from_} {source.ref}".strip() + f": {source.outcome}{why}"


def _exported(spec: Spec, cache: Cache) -> tuple[Fact, ...]:
    if not spec.cache.writes:
        return (("CacheExported", "True", "Disabled", "spec.cache.to and spec.cache.shared write nothing"),)
    if cache.export is None:
        return ()
    if cache.export.outcome == "failed":
        return (("CacheExported", "False", "ExportFailed", cache.export.reason or "a cache could not be written"),)
    return (("CacheExported", "True", "Exported", "later builds find the steps of this one"),)
