"""Steps as a table for people: what became of each, or would, and why.

compared with registry.example/shop/web@sha256:77d0…
step  7/12  COPY app/ /srv/app     MISS  FilesChanged: app/views.py
"""

from collections.abc import Iterator, Sequence

from ..build.progress import printable
from ..contract import PlannedStep, StepResult, miss_text
from ..core.amounts import duration, size

_WIDEST = 60
"""Columns that an instruction may take."""
Step = StepResult | PlannedStep


def step_table(steps: Sequence[Step]) -> Iterator[str]:
    """A line per step, below the caches that misses were compared with."""
    compared = list(dict.fromkeys(step.compared_with for step in steps if step.compared_with))
    for place, reference in enumerate(compared, 1):
        yield f"compared with {reference}" + (f" [{place}]" if len(compared) > 1 else "")
    total = max((step.number for step in steps), default=0)
    digits = len(str(total))
    stages = len({step.stage for step in steps}) > 1
    titles = [_title(step, stages) for step in steps]
    width = max(map(len, titles), default=0)
    for step, title in zip(steps, titles, strict=True):
        mark = f" [{compared.index(step.compared_with) + 1}]" if step.compared_with and len(compared) > 1 else ""
        line = f"step {step.number:>{digits}}/{total}  {title:<{width}}  {step.outcome.upper():<4}  {_why(step)}{mark}"
        yield line.rstrip()


def _title(step: Step, stages: bool) -> str:
    text = " ".join(printable(step.instruction).split())
    if stages and step.stage:
        text = f"[{step.stage}] {text}"
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _why(step: Step) -> str:
    parts = []
    match step.outcome:
        case "hit":
            parts.append(f"from {step.source}" if step.source else "")
            parts.append(f"{duration(step.saved_seconds)} saved" if step.saved_seconds else "")
        case "depends" if isinstance(step, PlannedStep):
            numbers = ", ".join(map(str, step.depends_on))
            parts.append(f"on the files that step {numbers} will write")
        case _:
            parts.append(printable(miss_text(step.reason, step.detail, step.more)))
            parts.append(duration(step.seconds) if isinstance(step, StepResult) and step.seconds else "")
    if isinstance(step, PlannedStep) and step.pulled:
        parts.append(f"pulls {size(step.pulled)}")
    return ", ".join(part for part in parts if part)
