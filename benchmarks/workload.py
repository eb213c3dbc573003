"""What is built: a context of thousands of generated files and a Dockerfile with two lines that a case may change."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree

_FIXED = Path(__file__).with_name("context")
_MODULES = 3000
_DATA_FILES = 2000
_SEED = 20250101


@dataclass(frozen=True, slots=True)
class Lines:
    """The words that stand in the two changeable lines of the final stage: in its middle and in its last step."""

    notice: str = "1"
    release: str = "1"


COMPILE = "RUN python3 tools/compile.py src out"
POPULATE = "RUN python3 /usr/local/lib/populate.py /opt/lib 10000"
BUILDER_STEPS = frozenset({"WORKDIR /work", "COPY tools tools", "COPY src src", COMPILE})
_COMPILED = "COPY --from=build /work/out/2 /opt/app"
_DATA = "COPY data /opt/data"


def last_step(lines: Lines) -> frozenset[str]:
    """The step of the line `release`; nothing follows it."""
    return frozenset({f'RUN echo "release {lines.release}" > /etc/release-note'})


def from_notice(lines: Lines) -> frozenset[str]:
    """The step of the line `notice` and all that stand on it."""
    return frozenset({f'RUN echo "notice {lines.notice}" > /etc/motd', _COMPILED, _DATA}) | last_step(lines)


def all_steps(lines: Lines) -> frozenset[str]:
    """Every step of both stages."""
    populate = frozenset({"COPY tools/populate.py /usr/local/lib/populate.py", POPULATE})
    return BUILDER_STEPS | populate | from_notice(lines)


@dataclass(frozen=True, slots=True)
class Workload:
    """The context's folder, and the base image that the Dockerfile names."""

    folder: Path
    base: str

    def create(self) -> None:
        """Write all files. The same ones every time: the generator's seed is fixed."""
        copytree(_FIXED, self.folder)
        dice = random.Random(_SEED)
        for number in range(_MODULES):
            self._put(f"src/package{number // 100:02}/module{number:04}.py", "".join(_module(dice)))
        for number in range(_DATA_FILES):
            rows = dice.randrange(20, 600)
            text = "".join(f"{row},{dice.random():.6f},{dice.getrandbits(20)}\n" for row in range(rows))
            self._put(f"data/table{number // 100:02}/rows{number:04}.csv", text)
        self.write(Lines())

    def write(self, lines: Lines) -> None:
        """The Dockerfile with these words in it."""
        template = (_FIXED / "Dockerfile").read_text()
        text = template.format(base=self.base, notice=lines.notice, release=lines.release)
        (self.folder / "Dockerfile").write_text(text)

    def size(self) -> tuple[int, int]:
        """How many files the context has, and their bytes."""
        sizes = [path.stat().st_size for path in self.folder.rglob("*") if path.is_file()]
        return len(sizes), sum(sizes)

    def _put(self, path: str, text: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def _module(dice: random.Random) -> Iterator[str]:
    """Source that takes a compiler as long as real source of its length does."""
    yield '"""A generated module."""\n\nimport math\n'
    for number in range(dice.randrange(5, 35)):
        name = f"step_{dice.getrandbits(32):08x}"
        yield f"\n\ndef {name}(first, second={number}):\n"
        yield f'    """Step {number} of the module."""\n'
        yield f"    rows = [item * {dice.randrange(100)} for item in first if item > {dice.random():.3f}]\n"
        yield f"    if len(rows) > {dice.randrange(50)}:\n"
        yield f'        return {{"{name}": sum(rows), "root": math.sqrt(second + {dice.randrange(9)})}}\n'
        yield f"    return {{key: value for key, value in zip(rows, range(second))}} or {dice.getrandbits(16)}\n"
