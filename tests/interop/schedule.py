"""Every build of the session, each made once and in an order that lets several run side by side.

Each builder has a lane of its own. It builds all cases without a cache, forgets everything that it has, builds all of
them from our images, forgets again, and builds the changed ones. Cases share no step, so what a builder remembers of
one is of no use to another: forgetting once for all cases is as good as before each. Our engine remembers nothing.

    ours        cold ────────────► from theirs ─► changed, from theirs ─► from ours
    builder     forget · cold ──► forget · from ours ─► forget · changed, from ours
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.interop.corpus import Case
from tests.interop.engine import Built
from tests.interop.workshop import Workshop
from tests.support.daemons import Builder, Steps

_SIDE_BY_SIDE = 2  # builds of ours; a builder has one at a time: BuildKit makes one step of two builds' equal ones


@dataclass
class _Job:
    work: Callable[[], Any]
    done: "Future[Any]" = field(default_factory=Future)

    def run(self) -> None:
        if not self.done.set_running_or_notify_cancel():
            return
        try:
            self.done.set_result(self.work())
        except BaseException as error:  # a build that failed is told to the test that asks for it
            self.done.set_exception(error)


_Phase = tuple[Callable[[], object], list[_Job]]


class Schedule:
    """`pairs` are the builders' names with the cases that they build. Asking for a build waits for it."""

    def __init__(self, workshop: Workshop, builders: Mapping[str, Builder], pairs: Sequence[tuple[str, Case]]) -> None:
        self.workshop = workshop
        self._builders = builders
        self._jobs: dict[tuple[str, ...], _Job] = {}
        self._cases: dict[str, Case] = {}
        self.counted: dict[tuple[str, str], int] = {}
        """(builder, case) → how many steps the builder took from our image, as far as tests have looked."""
        self.found: list[tuple[str, str, str]] = []
        """(check, builder, finding) of all that the tests have looked at."""
        self._marks: dict[str, int] = {}
        lanes = [(self._our_lane(pairs), _SIDE_BY_SIDE), *((self._lane(name, pairs), 1) for name in builders)]
        self._threads = [threading.Thread(target=_drive, args=lane) for lane in lanes]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Waits for what is under way; what has not begun is given up."""
        for job in self._jobs.values():
            job.done.cancel()
        for thread in self._threads:
            thread.join()

    def built(self) -> list[Case]:
        """The cases that our engine builds in this session."""
        return list(self._cases.values())

    def ours(self, case: Case) -> str:
        """Our image of the case, made without a cache."""
        self.ours_cold(case)
        return self.workshop.ref(case, "ours")

    def ours_cold(self, case: Case) -> Built:
        built: Built = self._result("ours", case.name)
        return built

    def ours_again(self, case: Case) -> Built:
        """Our build from our own image."""
        built: Built = self._result("ours-again", case.name)
        return built

    def theirs(self, builder: str, case: Case) -> str:
        """The builder's image of the case, made when it knew nothing."""
        self._result("theirs", builder, case.name)
        return self.workshop.ref(case, builder)

    def ours_from_theirs(self, builder: str, case: Case) -> Built:
        built: Built = self._result("ours-from-theirs", builder, case.name)
        return built

    def downloads(self, builder: str, case: Case) -> list[str]:
        """Paths of layers that our engine has downloaded for its build from the builder's image."""
        self.ours_from_theirs(builder, case)
        names = [*self._builders, "end"]
        end = self._marks.get(names[names.index(builder) + 1])
        registry = self.workshop.registry
        requests = registry.requests_after(0)[self._marks[builder] : end]
        layers = {
            digest
            for who in ("ours", builder, f"ours-from-{builder}")
            for digest in self.workshop.layers(self.workshop.ref(case, who))
        }
        return sorted(
            {
                access.path
                for access in requests
                if access.agent == "imagebuild"
                and (access.method, access.status) == ("GET", 200)
                and access.path.startswith(f"/v2/{case.name}/")
                and access.path.rpartition("/")[2] in layers
            }
        )

    def theirs_from_ours(self, builder: str, case: Case) -> Steps:
        steps: Steps = self._result("theirs-from-ours", builder, case.name)
        return steps

    def ours_changed(self, builder: str, case: Case) -> tuple[Built, str]:
        """Our build of the changed case from their image, and the instruction that must have run."""
        built: tuple[Built, str] = self._result("ours-changed", builder, case.name)
        return built

    def theirs_changed(self, builder: str, case: Case) -> tuple[Steps, str]:
        steps: tuple[Steps, str] = self._result("theirs-changed", builder, case.name)
        return steps

    def refusal(self, builder: str, case: Case) -> str:
        """What the builder says to a case that it cannot build; raises AssertionError if it can."""
        said: str = self._result("refusal", builder, case.name)
        return said

    def _result(self, *key: str) -> Any:
        return self._jobs[key].done.result()

    def _our_lane(self, pairs: Sequence[tuple[str, Case]]) -> list[_Phase]:
        def cold(case: Case) -> Built:
            return self.workshop.build(case, "ours")

        def warm(builder: str, case: Case) -> Built:
            return self.workshop.build(case, f"ours-from-{builder}", self.theirs(builder, case))

        def again(case: Case) -> Built:
            return self.workshop.build(case, "ours-again", self.ours(case))

        def changed(builder: str, case: Case) -> tuple[Built, str]:
            theirs = self.theirs(builder, case)
            context, instruction = self.workshop.changed_context(case, f"ours-{builder}")
            return self.workshop.build(case, f"ours-changed-{builder}", theirs, context), instruction

        def mark(name: str) -> Callable[[], None]:
            return lambda: self._marks.update({name: len(self.workshop.registry.requests_after(0))})

        def of(name: str) -> list[tuple[str, Case]]:
            return [pair for pair in good if pair[0] == name]

        good = [(builder, case) for builder, case in pairs if builder not in case.refused]
        self._cases = {case.name: case for _, case in good}
        cases = self._cases.values()
        jobs = [self._job(lambda case=case: cold(case), "ours", case.name) for case in cases]
        return [
            (_nothing, jobs),
            *((mark(name), self._for_pairs("ours-from-theirs", warm, of(name))) for name in self._builders),
            (mark("end"), self._for_pairs("ours-changed", changed, [pair for pair in good if pair[1].changed])),
            (_nothing, [self._job(lambda case=case: again(case), "ours-again", case.name) for case in cases]),
        ]

    def _lane(self, name: str, pairs: Sequence[tuple[str, Case]]) -> list[_Phase]:
        builder = self._builders[name]

        def cold(_: str, case: Case) -> Steps:
            context, options = self.workshop.context(case)
            return builder.build(context, self.workshop.ref(case, name), options=options)

        def refused(_: str, case: Case) -> str:
            try:
                cold(name, case)
            except AssertionError as error:
                return str(error)
            raise AssertionError(f"{name} can build {case.name}, against what the corpus says of it")

        def warm(_: str, case: Case) -> Steps:
            ours = self.ours(case)
            context, options = self.workshop.context(case)
            return builder.build(
                context, self.workshop.ref(case, f"{name}-from-ours"), cache_from=ours, options=options
            )

        def changed(_: str, case: Case) -> tuple[Steps, str]:
            ours = self.ours(case)
            context, instruction = self.workshop.changed_context(case, f"theirs-{name}")
            options = self.workshop.context(case)[1]
            reference = self.workshop.ref(case, f"{name}-changed")
            return builder.build(context, reference, cache_from=ours, options=options), instruction

        own = [pair for pair in pairs if pair[0] == name]
        good = [pair for pair in own if name not in pair[1].refused]
        bad = [pair for pair in own if name in pair[1].refused]
        return [
            (builder.forget, [*self._for_pairs("theirs", cold, good), *self._for_pairs("refusal", refused, bad)]),
            (builder.forget, self._for_pairs("theirs-from-ours", warm, good)),
            (builder.forget, self._for_pairs("theirs-changed", changed, [pair for pair in good if pair[1].changed])),
        ]

    def _for_pairs(
        self, kind: str, work: Callable[[str, Case], object], pairs: Sequence[tuple[str, Case]]
    ) -> list[_Job]:
        return [
            self._job(lambda builder=builder, case=case: work(builder, case), kind, builder, case.name)
            for builder, case in pairs
        ]

    def _job(self, work: Callable[[], object], *key: str) -> _Job:
        job = self._jobs[key] = _Job(work)
        return job


def _drive(lane: Sequence[_Phase], side_by_side: int) -> None:
    for prepare, jobs in lane:
        if not jobs:
            continue
        try:
            prepare()
        except BaseException as error:
            for job in jobs:
                job.done.set_exception(error)
            continue
        with ThreadPoolExecutor(side_by_side) as pool:
            for job in jobs:
                pool.submit(job.run)


def _nothing() -> None:
    pass
