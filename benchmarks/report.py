"""Samples → a table for people and a file for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from .cases import Case
from .figures import Spread, ratios
from .rounds import Sample

_COLUMNS = ("", "median s", "min–max s", "cpu s", "pulled kB", "pushed kB", "requests", "peak MiB", "steps run")


class Printable(Protocol):
    """A report of any kind."""

    @property
    def about(self) -> Mapping[str, str]: ...

    def markdown(self) -> str: ...

    def json(self) -> str: ...


def write(report: Printable, folder: Path, name: str) -> list[Path]:
    """Both forms, as NAME.md and NAME.json."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {folder / f"{name}.md": report.markdown(), folder / f"{name}.json": report.json()}
    for path, text in texts.items():
        path.write_text(text)
    return list(texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that was measured. `about` and `workload` are facts to print above the tables."""

    about: Mapping[str, str]
    workload: Mapping[str, str]
    titles: Mapping[str, str]
    cases: Mapping[str, tuple[Case, Sequence[Sample]]]

    def markdown(self) -> str:
        """A section for each case."""
        parts = ["# Benchmark\n", facts(self.about), facts(self.workload)]
        for case, samples in self.cases.values():
            parts.append(f"## {case.title} (`{case.name}`)\n")
            parts.append(self._seconds(case, samples))
            parts.append(_ratios(case, samples))
        return "\n".join(parts)

    def json(self) -> str:
        """Every sample, and the figures that the tables have."""
        cases = {
            name: {
                "title": case.title,
                "targets": dict(case.targets),
                "ratios": {other: asdict(ratios_to(other, case, samples)) for other in case.contestants[1:]},
                "samples": [_plain(sample) for sample in samples],
            }
            for name, (case, samples) in self.cases.items()
        }
        value = {"about": dict(self.about), "workload": dict(self.workload), "cases": cases}
        return json.dumps(value, indent=1) + "\n"

    def _seconds(self, case: Case, samples: Sequence[Sample]) -> str:
        rows = [_COLUMNS, ("---", *("---:" for _ in _COLUMNS[1:]))]
        for name in case.contestants:
            own = of(name, samples)
            seconds = Spread.of([sample.built.usage.seconds for sample in own])
            cpu = Spread.of([sample.built.usage.cpu for sample in own])
            pulled, pushed = (Spread.of([getattr(item.traffic, way) for item in own]) for way in ("pulled", "pushed"))
            requests = Spread.of([sample.traffic.requests for sample in own])
            peak = Spread.of([sample.built.usage.peak for sample in own])
            steps = Spread.of([len(sample.built.executed) for sample in own])
            rows.append(
                (
                    self.titles[name],
                    f"{seconds.median:.2f}",
                    f"{seconds.least:.2f}–{seconds.most:.2f}",
                    f"{cpu.median:.2f}",
                    f"{pulled.median / 1e3:,.1f}",
                    f"{pushed.median / 1e3:,.1f}",
                    f"{requests.median:.0f}",
                    f"{peak.most / (1 << 20):.0f}",
                    f"{steps.median:.0f}",
                )
            )
        return table(rows)


def of(name: str, samples: Sequence[Sample]) -> list[Sample]:
    """One contestant's samples, in the order of rounds."""
    return sorted((sample for sample in samples if sample.contestant == name), key=lambda sample: sample.round)


def ratios_to(other: str, case: Case, samples: Sequence[Sample]) -> Spread:
    """Seconds of the case's first contestant ÷ the other's, round by round."""
    first, second = (
        [sample.built.usage.seconds for sample in of(name, samples)] for name in (case.contestants[0], other)
    )
    return ratios(first, second)


def _ratios(case: Case, samples: Sequence[Sample]) -> str:
    rows: list[tuple[str, ...]] = [
        ("ratio of seconds, pair by pair", "median", "min–max", "target", "reached"),
        ("---", "---:", "---:", "---:", "---"),
    ]
    for other in case.contestants[1:]:
        spread = ratios_to(other, case, samples)
        target = case.targets[other]
        reached = "yes" if spread.median <= target else "no"
        rows.append(
            (
                f"{case.contestants[0]} ÷ {other}",
                f"{spread.median:.2f}",
                f"{spread.least:.2f}–{spread.most:.2f}",
                f"≤ {target:g}",
                reached,
            )
        )
    return table(rows)


def table(rows: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def facts(facts: Mapping[str, str]) -> str:
    return "".join(f"- {name}: {value}\n" for name, value in facts.items())


def _plain(sample: Sample) -> dict[str, object]:
    return {
        "contestant": sample.contestant,
        "round": sample.round,
        **asdict(sample.built.usage),
        **asdict(sample.traffic),
        "digest": sample.built.digest,
        "executed": sorted(sample.built.executed),
    }
