"""What a source that stands in for another does: it is asked only where the other is gone."""

from pathlib import Path

import pytest
from imagebuild_engine.build.imports import ImportPolicy, import_caches
from imagebuild_engine.build.supplier import Patience
from imagebuild_engine.contract import CacheSource, SourceKind
from imagebuild_engine.host.registry import DockerCredentials, RegistryClient


async def answers(*refs: Path, kind: SourceKind) -> list[str]:
    sources = [CacheSource(ref=str(ref), kind=kind, type="local") for ref in refs]
    async with RegistryClient(DockerCredentials(None)) as client:
        return [one.answered for one in await import_caches(client, sources, ImportPolicy(patience=Patience(30)))]


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A layout that is there and no good."""
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text("no JSON")
    return folder


async def test_the_second_previous_is_asked_only_where_the_first_is_gone(broken: Path, tmp_path: Path) -> None:
    assert await answers(tmp_path / "gone", broken, kind="previous") == ["not_found", "invalid"]
    assert await answers(broken, broken, kind="previous") == ["invalid", "unused"]
    assert await answers(tmp_path / "gone", tmp_path / "gone too", kind="previous") == ["not_found", "not_found"]


async def test_other_sources_are_all_asked(broken: Path, tmp_path: Path) -> None:
    assert await answers(broken, tmp_path / "gone", broken, kind="image") == ["invalid", "not_found", "invalid"]
