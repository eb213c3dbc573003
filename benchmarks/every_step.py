"""One change at every possible step of a Dockerfile of 20 steps in 3 stages: what must run then, and what does run.

Every result is made of everything below it, so that a change reaches all that stand on it: nothing that must run is a
hit by luck. `must_run` is what no builder can do without; whatever more a builder runs, its cache did not have.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .contestants import Contestant
from .rounds import SEED, BrokenBuild

_WORK = "seq 400000 | sha256sum"
"""What a real step would take a while for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`text` has the place for a word that changes its result; with `file` the word stands in that file.

    It is no longer than results show an instruction: 120 characters.
    """

    stage: str
    text: str
    file: str = ""
    copies_from: str = ""

    def instruction(self, word: str) -> str:
        return self.text.format(word=word)


def _run(stage: str, name: str) -> Step:
    """A step whose result depends on all files of the stage so far, and on their names."""
    made = f"(echo {name}{{word}}; ls /{stage}; cat /{stage}/*) | sha256sum > x"
    return Step(stage=stage, text=f"RUN {made} && mv x /{stage}/{name} && {_WORK}")


def _copy(stage: str, name: str) -> Step:
    return Step(stage=stage, text=f"COPY {name} /{stage}/", file=name)


def _copy_from(stage: str, other: str) -> Step:
    return Step(stage=stage, text=f"COPY --from={other} /{other}/last /{stage}/{other}{{word}}", copies_from=other)


STEPS = (
    *(_copy("deps", "list"), _run("deps", "fetch"), _run("deps", "unpack"), _copy("deps", "patch")),
    *(_run("deps", "apply"), _run("deps", "last")),
    *(_copy("build", "library"), _run("build", "tools"), _run("build", "first"), _copy_from("build", "deps")),
    *(_run("build", "second"), _copy("build", "program"), _run("build", "third"), _run("build", "last")),
    *(_copy("final", "settings"), _run("final", "system"), _run("final", "users"), _copy_from("final", "build")),
    *(_copy("final", "pages"), _run("final", "last")),
)
"""In the order of the Dockerfile; stages in the order of their first steps, the last one is built."""


def must_run(changed: int) -> frozenset[int]:
    """Positions in STEPS of the changed step and of all that stand on it or copy from what does."""
    found = {changed}
    for position in range(len(STEPS)):
        found |= {position} if found.intersection(_inputs(position)) else set()
    return frozenset(found)


def _inputs(position: int) -> list[int]:
    step = STEPS[position]
    below = [number for number, other in enumerate(STEPS[:position]) if other.stage == step.stage][-1:]
    copied = [number for number, other in enumerate(STEPS) if other.stage == step.copies_from][-1:]
    return below + copied


@dataclass(frozen=True, slots=True)
class Project:
    """The context, and the base image of its stages."""

    folder: Path
    base: str

    def write(self, changed: int | None = None, word: str = "") -> None:
        """Everything, with the word in one step or in the file that it copies."""
        self.folder.mkdir(exist_ok=True)
        lines: list[str] = []
        stage = ""
        for position, step in enumerate(STEPS):
            own = word if position == changed else ""
            if step.stage != stage:
                stage = step.stage
                lines.append(f"FROM {self.base} AS {stage}")
            if step.file:
                (self.folder / step.file).write_text(f"{step.file} {own}\n")
            lines.append(step.instruction(own))
        (self.folder / "Dockerfile").write_text("\n".join([*lines, ""]))


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRun:
    """One measured build with one changed step; `executed` are positions in STEPS."""

    changed: int
    contestant: str
    round: int
    seconds: float
    executed: frozenset[int]


def run(
    project: Project, contestants: Mapping[str, Contestant], rounds: int, say: Callable[[str], None]
) -> list[StepRun]:
    """A seed for each builder, then in every round each changed step in turn by each of them.

    Raises BrokenBuild if a step has not run that must, CommandFailed.
    """
    project.write()
    for name, contestant in contestants.items():
        _build(project, contestant, SEED, "", changed=None, word="")
        say(f"{SEED:16} {name}")
    found = []
    for number in range(1, rounds + 1):
        for changed in range(len(STEPS)):
            word = f"-{number}"
            project.write(changed, word)
            for name in _rotated(list(contestants), number + changed):
                tag = f"step-{changed + 1}-{number}"
                seconds, executed = _build(project, contestants[name], tag, SEED, changed=changed, word=word)
                if missing := must_run(changed) - executed:
                    raise BrokenBuild(f"{name}, {tag}: should have run, but did not: {_numbers(missing)}")
                surplus = executed - must_run(changed)
                told = f"  ran needlessly: {_numbers(surplus)}" if surplus else ""
                say(f"{tag:16} {name:13} {seconds:7.2f} s  {len(executed):2} steps run{told}")
                found.append(
                    StepRun(changed=changed, contestant=name, round=number, seconds=seconds, executed=executed)
                )
    return found


def _build(
    project: Project, contestant: Contestant, tag: str, cache_tag: str, *, changed: int | None, word: str
) -> tuple[float, frozenset[int]]:
    contestant.forget()
    built = contestant.build(project.folder, tag, cache_tag)
    texts = [step.instruction(word if position == changed else "") for position, step in enumerate(STEPS)]
    if unknown := built.executed - set(texts):
        raise BrokenBuild(f"{contestant.name}, {tag}: these are no steps of the Dockerfile: {sorted(unknown)}")
    return built.usage.seconds, frozenset(texts.index(text) for text in built.executed)


def _rotated(names: Sequence[str], by: int) -> list[str]:
    first = by % len(names)
    return [*names[first:], *names[:first]]


def _numbers(positions: frozenset[int]) -> str:
    return ", ".join(str(position + 1) for position in sorted(positions))
