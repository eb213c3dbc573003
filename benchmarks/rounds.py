"""Measured builds in turn: a round is one build by each contestant of a case, and the next begins with another one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .cases import Case
from .contestants import Built, Contestant
from .published import published
from .traffic import Meter, Traffic
from .workload import Lines, Workload, all_steps

SEED = "seed"
"""The tag of the image that every measured build imports its cache from."""
OURS = "ours"


class BrokenBuild(AssertionError):
    """A build that did not do what its case says: its time would mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measured build."""

    contestant: str
    round: int
    built: Built
    traffic: Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where builds are measured: contestants by name, what they build, the registry's meter."""

    contestants: Mapping[str, Contestant]
    workload: Workload
    meter: Meter
    say: Callable[[str], None]

    def seed(self, names: Sequence[str]) -> dict[str, Sample]:
        """The unchanged workload by each of these, without any cache: every step runs."""
        self.workload.write(Lines())
        return {name: self._build(name, 0, SEED, "", all_steps(Lines())) for name in names}

    def run(self, case: Case, runs: int, seeds: Mapping[str, Sample]) -> list[Sample]:
        """All samples of a case. Round 0 warms caches of files and is left out. Raises BrokenBuild, CommandFailed."""
        samples = []
        for number in range(runs + 1):
            lines = case.change(number)
            self.workload.write(lines)
            names = case.contestants
            first = number % len(names)
            for name in (*names[first:], *names[:first]):
                tag = f"{case.name}-{number}"
                sample = self._build(name, number, tag, SEED, case.executed[name](lines))
                self._check(case, name, tag, seeds[name].built.digest, sample.built.digest)
                if number:
                    samples.append(sample)
        return samples

    def _build(self, name: str, number: int, tag: str, cache_tag: str, expected: frozenset[str]) -> Sample:
        """One build. What must run has run; and if it is ours, nothing else has."""
        contestant = self.contestants[name]
        contestant.forget()
        mark = self.meter.start()
        built = contestant.build(self.workload.folder, tag, cache_tag)
        traffic = self.meter.since(mark)
        missing, surplus = sorted(expected - built.executed), sorted(built.executed - expected)
        if missing or (surplus and name == OURS):
            raise BrokenBuild(f"{name}, {tag}: should have run, but did not: {missing}; ran needlessly: {surplus}")
        self.say(
            f"{tag:16} {name:13} {built.usage.seconds:7.2f} s  cpu {built.usage.cpu:6.2f} s  "
            f"pulled {traffic.pulled / 1e6:7.2f} MB  pushed {traffic.pushed / 1e6:7.2f} MB"
            + (f"  ran needlessly: {', '.join(surplus)}" if surplus else "")
        )
        return Sample(contestant=name, round=number, built=built, traffic=traffic)

    def _check(self, case: Case, name: str, tag: str, seeded: str, digest: str) -> None:
        """Has the registry the image that the builder speaks of, with the cached image's layers as far as they hold?"""
        contestant = self.contestants[name]
        before, after = published(contestant.repository, SEED), published(contestant.repository, tag)
        wrong = {
            f"the registry has {after.digest}, the builder said {digest}": after.digest != digest,
            f"the cached image was {seeded} and is {before.digest}": before.digest != seeded,
            f"the image is {digest}, the cached one {seeded}": (digest == seeded) != (case.remade == 0),
            f"it has {len(after.layers)} layers": len(after.layers) != len(before.layers),
            "layers of cached steps were made again": name == OURS
            and not _same(before.layers, after.layers, case.remade),
            "the image has no cache records": contestant.inline and not after.inline_cache,
        }
        for what, is_so in wrong.items():
            if is_so:
                raise BrokenBuild(f"{name}, {tag}: {what}")


def _same(before: Sequence[str], after: Sequence[str], remade: int) -> bool:
    return before[: len(before) - remade] == after[: len(after) - remade]
