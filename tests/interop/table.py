"""docs/compatibility-table.md: every case with what the checks said of it, written by a run of them all.

Its first columns follow from the corpus, which a unit test holds; the steps are what the run counted: those that the
builder took from our image.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.interop.corpus import THEMES, Case
from tests.interop.exceptions import CHECKS, Allowed, Check, applying, exceptions

FILE = Path(__file__).parents[2] / "docs" / "compatibility-table.md"
BUILDERS = ("buildkitd", "dockerd")
_NAMES = {"buildkitd": "BuildKit 0.34.2", "dockerd": "dockerd 20.10"}
_HEAD = """# Compatibility with BuildKit: the table

Written by a run of the interop tests (`IMAGEBUILD_WRITE_TABLE=1 make interop`). What the checks are stands in
[compatibility.md](compatibility.md). ✓ is a check without findings, a number an exception of the list
below, – a case that the builder cannot build. The steps are those that the builder took from our image.

"""

Counted = Mapping[tuple[str, str], int]
"""(builder, case) → how many steps the builder took from our image."""


def render(counted: Counted) -> str:
    """The whole file."""
    checks = ", ".join(CHECKS)
    lines = [f"| theme | case | {' | '.join(f'{_NAMES[name]}: {checks}' for name in BUILDERS)} | steps |"]
    lines.append("| --- | --- | " + "--- | " * (len(BUILDERS) + 1))
    for theme, cases in THEMES.items():
        lines += [row(theme, case, counted) for case in cases]
    notes = [
        f"{number}. {_NAMES[item.builder]}, {item.check}{'; any case' if item.general else ''}: {item.reason}"
        for number, item in numbered()
    ]
    return _HEAD + "\n".join(lines) + "\n\n## Exceptions\n\n" + "\n".join(notes or ["None."]) + "\n"


def row(theme: str, case: Case, counted: Counted) -> str:
    cells = [_cell(name, case) for name in BUILDERS]
    steps = " / ".join(str(counted.get((name, case.name), "–")) for name in BUILDERS)
    return f"| {theme} | {case.name} | {' | '.join(cells)} | {steps} |"


def without_measures(table: str) -> list[str]:
    """The table's lines without their last column."""
    return [line.rstrip("| ").rpartition("|")[0] if line.startswith("|") else line for line in table.splitlines()]


def numbered() -> list[tuple[int, Allowed]]:
    return list(enumerate(exceptions(), 1))


def _cell(builder: str, case: Case) -> str:
    if builder in case.refused:
        return f"– {case.refused[builder]}"
    return " ".join(_mark(check, builder, case) for check in CHECKS)


def _mark(check: Check, builder: str, case: Case) -> str:
    applied = [item for item in applying(check, builder, case.name) if not item.general]
    numbers: Sequence[int] = [number for number, item in numbered() if item in applied]
    return ",".join(map(str, numbers)) or "✓"
