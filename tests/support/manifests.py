"""The manifests that users are shown: files in examples/, and blocks on the pages of the documentation."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```yaml\n(apiVersion:.*?)^```$", re.MULTILINE | re.DOTALL)


def manifests() -> Iterator[tuple[str, str]]:
    """Where it is, and the YAML. Blocks that do not begin with `apiVersion` are parts of one, or output."""
    for file in sorted((ROOT / "examples").glob("*.yaml")):
        yield f"examples/{file.name}", file.read_text()
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for number, block in enumerate(_BLOCK.finditer(page.read_text()), 1):
            yield f"{page.relative_to(ROOT)}-{number}", block[1]
