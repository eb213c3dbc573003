"""A cache as lines for a person: stages with their steps, and two caches beside each other."""

from collections.abc import Iterator

from ..build.inspect import Inspected, other_layers
from ..build.step_prune import Pruned
from ..core.amounts import size
from ..core.cache import CachedStep, Comparison, StepInput

_WHY = {
    "instruction": "the instructions differ, or the environment that they run in",
    "files": "the instruction is the same, but the files that it reads differ",
    "base": "the instruction is the same, but what it builds on differs",
}
_MORE = "one goes on where the other ends"
_WIDTH = 100


def tree(inspected: Inspected) -> Iterator[str]:
    """Every stage with its steps, in the order of a Dockerfile."""
    cache, steps = inspected.cache, inspected.steps
    yield inspected.ref
    kind = f"image for {cache.platform}" if cache.platform else "cache"
    yield f"{inspected.digest}  {kind}, {_count(inspected.layers, 'layer')}"
    if cache.attached is not None:
        yield f"{cache.attached.digest}  attached to it"
    if cache.problem:
        yield _one_line(cache.problem)
    if not cache.records:
        yield "no cache records"
        return
    lasting = sum(bool(step.result) for step in steps.steps)
    yield (
        f"{_count(len(cache.records), 'record')} of {_count(len(steps.steps), 'step')}, {lasting} of them with layers"
    )
    for stage in steps.stages:
        yield ""
        yield f"on {_ground(inspected, steps.steps[stage[0]])}"
        for number in stage:
            last = number == stage[-1]
            step = steps.steps[number]
            yield f"{'└─' if last else '├─'} {number + 1:>2}  {_title(inspected, step)}"
            for line in _details(inspected, step):
                yield f"{'  ' if last else '│ '}     {line}"


def pruned(done: Pruned) -> Iterator[str]:
    """What was deleted, or would be, and what is left."""
    pruning = done.pruning
    for record in pruning.gone:
        yield f"{record.written:%Y-%m-%d %H:%M}  {record.tags[0][:17]}  {record.instruction[:_WIDTH]}"
    verb = "would be deleted" if done.dry_run else "deleted"
    yield (
        f"{done.repository}: {_count(len(pruning.gone), 'record')} {verb}, {pruning.kept} kept, "
        f"{size(pruning.size_before)} of layers before and {size(pruning.size_after)} after"
    )
    if done.foreign:
        yield f"{_count(done.foreign, 'tag')} that look like steps and are none were left alone"


def _ground(inspected: Inspected, step: CachedStep) -> str:
    if step.base is not None:
        return f"step {step.base + 1}"
    first = step.inputs[0]
    if _copies_only(inspected, step):
        return "nothing (FROM scratch)"
    if first.sources and first.step is None and not first.contents:
        return f"source {_shorts(first.sources)}"
    return "nothing (FROM scratch)"


def _copies_only(inspected: Inspected, step: CachedStep) -> bool:
    """Has it nothing below it, only what it copies? Its single input looks like a base, but for what it says itself."""
    return len(step.inputs) == 1 and _said(inspected, step).startswith(("COPY ", "ADD "))


def _title(inspected: Inspected, step: CachedStep) -> str:
    if text := _said(inspected, step):
        return text
    return "(no word of what it does)" if step.result else "(a step whose layers are not in this cache)"


def _said(inspected: Inspected, step: CachedStep) -> str:
    """What the cache says of the step."""
    text = _one_line(inspected.text(step).removesuffix(" # buildkit"))
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _one_line(text: str) -> str:
    """What a terminal can take."""
    return "".join(character if character.isprintable() else "�" for character in " ".join(text.split()))


def _details(inspected: Inspected, step: CachedStep) -> Iterator[str]:
    yield f"key {short(inspected.key(step.records[0]))}{_result(inspected, step)}"
    for position, known in enumerate(step.inputs):
        if _copies_only(inspected, step) and known.step is None and not known.contents:
            yield f"reads files {_shorts(known.sources)}"
        elif position or (step.base is None and known.step is not None) or known.contents:
            yield f"reads {_known(known)}"
    for record in step.records[1:]:
        yield (
            f"alias {short(inspected.key(record))} (record {record} for record {step.records[0]}): "
            "the step as another version of BuildKit writes it"
        )


def _result(inspected: Inspected, step: CachedStep) -> str:
    blob, depth = inspected.layer(step)
    if step.result is None:
        return ""
    return f", layer {step.result.top} {short(blob)}" + (f" on {_count(depth - 1, 'other')}" if depth > 1 else "")


def _known(known: StepInput) -> str:
    ways = [f"step {known.step + 1}"] if known.step is not None else []
    ways += [f"source {_shorts(known.sources)}"] if known.sources else []
    what = " or ".join(ways)
    if known.selects and what:
        what += f" (paths {_shorts(known.selects)})"
    ways = [what] if what else []
    ways += [f"files {_shorts(known.contents)}"] if known.contents else []
    return ", known as ".join(ways) or "nothing"


def difference(first: Inspected, second: Inspected, comparison: Comparison) -> Iterator[str]:
    """The steps of both, as diff shows lines; then where they part and why."""
    yield f"--- {first.ref}  {first.digest}"
    yield f"+++ {second.ref}  {second.digest}"
    changed = set(other_layers(first, second, comparison))
    alone = list(reversed(comparison.only_second))
    for number in range(len(first.steps.steps)):
        other = comparison.both.get(number)
        if other is None:
            yield _line("-", first, number)
            continue
        while alone and alone[-1] < other:
            yield _line("+", second, alone.pop())
        title = _said(first, first.steps.steps[number]) or _said(second, second.steps.steps[other])
        yield _line("~" if number in changed else " ", first, number, title)
    for number in reversed(alone):
        yield _line("+", second, number)
    yield ""
    same = f"{_count(len(comparison.both), 'step')} in both"
    yield f"{same}, {len(comparison.only_first)} only in the first, {len(comparison.only_second)} only in the second"
    if changed:
        yield f"~ marks {_count(len(changed), 'step')} whose layers differ"
    if comparison.parting is not None:
        parting = comparison.parting
        yield f"they part here: {_WHY[parting.why] if None not in (parting.first, parting.second) else _MORE}"
        if parting.first is not None:
            yield _line("-", first, parting.first)
        if parting.second is not None:
            yield _line("+", second, parting.second)


def _line(mark: str, inspected: Inspected, number: int, title: str = "") -> str:
    step = inspected.steps.steps[number]
    return f"{mark} {number + 1:>3}  {short(inspected.key(step.records[0]))}  {title or _title(inspected, step)}"


def short(digest: str) -> str:
    """The first twelve digits."""
    return digest.partition(":")[2][:12]


def _shorts(digests: tuple[str, ...]) -> str:
    return ", ".join(short(digest) for digest in digests)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
