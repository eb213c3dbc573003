"""The documentation does not lie: its Dockerfiles are read and lowered, its links lead somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from imagebuild_engine.core.dockerfile import DockerfileError, parse_dockerfile
from imagebuild_engine.core.frontend import BuildOptions, Lowered, NeedsPins, PinnedCommit, PinnedFile, Pins, lower
from imagebuild_engine.core.oci import Digest

from tests.support.lowering import AMD64, image

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
_BLOCK = re.compile(r"^```dockerfile(?: refused: ([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def blocks() -> Iterator[object]:
    for page in PAGES:
        for number, block in enumerate(_BLOCK.finditer(page.read_text()), 1):
            name = f"{page.relative_to(ROOT / 'docs')}-{number}"
            yield pytest.param(block[2], block[1], id=name)


def lowered(text: str) -> Lowered:
    """With every image, URL and repository that it asks for."""
    dockerfile = parse_dockerfile(text.encode())
    options = BuildOptions(platform=AMD64, build_platform=AMD64)
    pins = Pins()
    for _ in range(3):
        result = lower(dockerfile, options, pins)
        if isinstance(result, Lowered):
            return result
        pins = _pinned(result, pins)
    raise AssertionError("it asks for ever more")


def _pinned(needed: NeedsPins, known: Pins) -> Pins:
    images = {request: next(iter(image("base").values())) for request in needed.images}
    commit = PinnedCommit(commit="a" * 40, ref="refs/heads/main")
    return Pins(
        images={**known.images, **images},
        files={**known.files, **{url: PinnedFile(checksum=Digest.of(b"")) for url in needed.files}},
        commits={**known.commits, **dict.fromkeys(needed.commits, commit)},
    )


@pytest.mark.parametrize(("text", "refusal"), list(blocks()))
def test_a_dockerfile_on_a_page_is_what_the_page_says(text: str, refusal: str | None) -> None:
    if refusal is None:
        assert lowered(text).target is not None
        return
    with pytest.raises(DockerfileError) as caught:
        lowered(text)
    assert refusal in str(caught.value)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_pages_that_are_there(page: Path) -> None:
    missing = [target for target in _LINK.findall(page.read_text()) if not (page.parent / target).exists()]
    assert missing == []
