"""`python -m benchmarks [--runs N] [--case NAME] [--record]`, from the checkout's root, as root."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import images, layout, tools
from tests.support.daemons import missing_buildkitd, running_buildkitd
from tests.support.images import push_busybox
from tests.support.registry import RunningRegistry, missing_registry, running_registry

from .cases import CASES, Case
from .contestants import BuildKit, Contestant, Ours
from .every_step import STEPS, Project
from .every_step import run as run_every_step
from .ground import ground
from .machine import ROOT, describe_machine, describe_versions, load, sources
from .measure import CommandFailed
from .report import Printable, Report, write
from .rounds import BrokenBuild, Course
from .step_report import StepReport
from .traffic import Meter
from .workload import Workload

_EVERY_STEP = "every-step"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 if everything was built as it should be, whatever the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="imagebuild and BuildKit side by side")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="measured rounds of each case (default: 5)")
    names = [case.name for case in CASES]
    parser.add_argument(
        "--case",
        action="append",
        choices=[*names, _EVERY_STEP],
        help=f"only this case; may be given several times. {_EVERY_STEP} takes long: alone, and if asked for",
    )
    parser.add_argument("--record", action="store_true", help="write to benchmarks/results instead of build/bench")
    chosen = parser.parse_args(arguments)
    if chosen.runs < 1:
        parser.error("--runs: at least one")
    if _EVERY_STEP in (chosen.case or ()) and len(chosen.case) > 1:
        parser.error(f"--case {_EVERY_STEP} is measured alone")
    if missing := missing_buildkitd() or missing_registry():
        parser.exit(1, f"benchmarks: {missing}\n")
    cases = [case for case in CASES if case.name in (chosen.case or names)]
    before = sources()
    report: Printable | None
    try:
        report = _measure(cases, chosen.runs) if cases else _measure_every_step(chosen.runs)
    except (BrokenBuild, CommandFailed) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        report = None
    if sources() != before:
        print("benchmarks: the engine's sources changed meanwhile: measure again", file=sys.stderr)
        return 1
    if report is None:
        return 1
    folder = ROOT / "benchmarks" / "results" if chosen.record else ROOT / "build" / "bench"
    name = report.about["date"].replace(" UTC", "").replace(" ", "T").replace(":", "")
    paths = write(report, folder, name)
    print(report.markdown())
    print("\n".join(f"written: {path.relative_to(ROOT)}" for path in paths))
    return 0


def _measure(cases: Sequence[Case], runs: int) -> Report:
    about = {**describe_machine(), **describe_versions()}
    with _course() as (course, facts):
        needed = dict.fromkeys(name for case in cases for name in case.contestants)
        seeds = course.seed(list(needed))
        measured = {case.name: (case, course.run(case, runs, seeds)) for case in cases}
        titles = {name: contestant.title for name, contestant in course.contestants.items()}
    about["load"] = f"{about['load']} before, {load()} after"
    about["rounds"] = f"{runs}, and one to warm up"
    return Report(about=about, workload=facts, titles=titles, cases=measured)


def _measure_every_step(runs: int) -> StepReport:
    about = {**describe_machine(), **describe_versions()}
    with _place() as place:
        project = Project(place.folder / "context", push_busybox(place.registry.host))
        measured = run_every_step(project, place.contestants, runs, _say)
        titles = {name: contestant.title for name, contestant in place.contestants.items()}
    about["load"] = f"{about['load']} before, {load()} after"
    about["rounds"] = str(runs)
    facts = {
        "Dockerfile": f"{len(STEPS)} steps in {len({step.stage for step in STEPS})} stages on busybox",
        "file system": place.kind,
    }
    return StepReport(about=about, workload=facts, titles=titles, runs=measured)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where everything happens, and who builds."""

    folder: Path
    kind: str
    registry: RunningRegistry
    contestants: dict[str, Contestant]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _course() -> Iterator[tuple[Course, dict[str, str]]]:
    """The base image, the context and the builders, in one place that goes afterwards."""
    base = images.debian_python().make()
    with _place() as place:
        layout.Registry(address=place.registry.host).push(base, "bench/base", "1")
        workload = Workload(place.folder / "context", f"{place.registry.host}/bench/base:1")
        workload.create()
        course = Course(contestants=place.contestants, workload=workload, meter=Meter(place.registry), say=_say)
        files, size = workload.size()
        layer = max((base / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size).read_bytes()
        unpacked = int.from_bytes(layer[-4:], "little")  # as gzip says at its end
        facts = {
            "base image": f"Debian with Python, {len(layer) / 1e6:.0f} MB, unpacked {unpacked / 1e6:.0f} MB",
            "context": f"{files} files, {size / 1e6:.0f} MB",
            "file system": place.kind,
        }
        yield course, facts


@contextmanager
def _place() -> Iterator[_Place]:
    """A registry, a buildkitd, and the builders that use them."""
    with ground() as (folder, kind):
        for part in ("ours", "buildkit"):
            (folder / part).mkdir()
        with (
            running_registry(folder / "registry") as registry,
            running_buildkitd(folder / "buildkitd", registry.host) as daemon,
        ):
            builders: tuple[Contestant, ...] = (
                Ours(repository=f"{registry.host}/bench/ours", folder=folder / "ours", runtime=tools.path("runc")),
                BuildKit(daemon=daemon, repository=f"{registry.host}/bench/buildkit", folder=folder / "buildkit"),
                BuildKit(
                    daemon=daemon,
                    repository=f"{registry.host}/bench/buildkit-max",
                    folder=folder / "buildkit",
                    mode_max=True,
                ),
            )
            contestants = {builder.name: builder for builder in builders}
            yield _Place(folder=folder, kind=kind, registry=registry, contestants=contestants)


if __name__ == "__main__":
    sys.exit(main())
