"""Builds with one changed step → a row for each step: how many steps ran, and how long it took."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from .every_step import STEPS, StepRun, must_run
from .report import facts, table
from .rounds import OURS


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """Everything that was measured. `about` and `workload` are facts to print above the table."""

    about: Mapping[str, str]
    workload: Mapping[str, str]
    titles: Mapping[str, str]
    runs: Sequence[StepRun]

    def markdown(self) -> str:
        """One table, its sums, and in how many rows ours ran the fewest steps."""
        names = list(self.titles)
        rows: list[tuple[str, ...]] = [
            ("changed step", "must run", *self.titles.values(), *(f"{title}, s" for title in self.titles.values())),
            ("---", *("---:" for _ in range(1 + 2 * len(names)))),
        ]
        sums = [0.0] * (1 + 2 * len(names))
        for changed, step in enumerate(STEPS):
            needed = len(must_run(changed))
            steps = [self._steps(changed, name) for name in names]
            seconds = [self._seconds(changed, name) for name in names]
            sums = [total + value for total, value in zip(sums, [needed, *steps, *seconds], strict=True)]
            label = (
                f"{changed + 1} [{step.stage}] `{step.instruction('').split(' && ')[0].replace('|', chr(92) + '|')}`"
            )
            rows.append((label, str(needed), *map(str, steps), *(f"{value:.2f}" for value in seconds)))
        counts, times = sums[: 1 + len(names)], sums[1 + len(names) :]
        rows.append(("all", *(f"{value:.0f}" for value in counts), *(f"{value:.2f}" for value in times)))
        parts = ["# Benchmark\n", facts(self.about), facts(self.workload)]
        parts += ["## A change at every step, fresh builder each time (`every-step`)\n", table(rows), self._verdict()]
        return "\n".join(parts)

    def json(self) -> str:
        """Every build."""
        runs = [
            {
                "step": run.changed + 1,
                "instruction": STEPS[run.changed].instruction(""),
                "contestant": run.contestant,
                "round": run.round,
                "seconds": run.seconds,
                "must_run": sorted(position + 1 for position in must_run(run.changed)),
                "executed": sorted(position + 1 for position in run.executed),
            }
            for run in self.runs
        ]
        return json.dumps({"about": dict(self.about), "workload": dict(self.workload), "runs": runs}, indent=1) + "\n"

    def _verdict(self) -> str:
        others = [name for name in self.titles if name != OURS]
        fewest = [
            changed
            for changed in range(len(STEPS))
            if all(self._steps(changed, OURS) <= self._steps(changed, other) for other in others)
        ]
        exact = [changed for changed in range(len(STEPS)) if self._steps(changed, OURS) == len(must_run(changed))]
        return (
            f"{self.titles[OURS]} ran the fewest steps in {len(fewest)} of {len(STEPS)} rows, and only what must run "
            f"in {len(exact)}.\n"
        )

    def _steps(self, changed: int, name: str) -> int:
        """The most that it ran in any round."""
        return max(len(run.executed) for run in self._of(changed, name))

    def _seconds(self, changed: int, name: str) -> float:
        return median(run.seconds for run in self._of(changed, name))

    def _of(self, changed: int, name: str) -> list[StepRun]:
        return [run for run in self.runs if (run.changed, run.contestant) == (changed, name)]
