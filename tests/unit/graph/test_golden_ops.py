"""Keys of ops against the golden file: what BuildKit HEAD hashed, and the keys of all older versions."""

from collections.abc import Iterator

import pytest
from imagebuild_engine.core.cache import root_key
from imagebuild_engine.core.graph import ExecOp, FileOp, MergeOp, Op, cache_map, op_text
from imagebuild_engine.core.oci import Digest

from tests.support.golden import Case, cases, golden
from tests.support.golden_ops import op_of

PREIMAGES = golden()["preimages_HEAD"]
TEXTS = {key: text for key, (kind, text) in PREIMAGES.items() if kind == "json" and '"Type"' in text}


@pytest.mark.parametrize("key", sorted(TEXTS))
def test_the_text_is_buildkits(key: str) -> None:
    op = op_of(TEXTS[key])
    assert op_text(op).decode() == TEXTS[key]
    assert cache_map(op).digests == (key,)


def ops_of(case: Case) -> Iterator[ExecOp | FileOp | MergeOp]:
    """The ops behind a case's records of HEAD."""
    for digest, inputs, *_ in case.records():
        if inputs or f"{PREIMAGES[digest][1]}".endswith("@0"):
            text = PREIMAGES.get(PREIMAGES[digest][1].removesuffix("@0"), ["", ""])[1]
            if '"Type"' in text:
                yield op_of(text)


def spelled(op: Op) -> set[tuple[Digest, tuple[str, ...]]]:
    return {
        (root_key(digest, 0), spelling.selectors) for spelling in cache_map(op).spellings for digest in spelling.digests
    }


GROUPS = [(case, version) for case in cases() for version in case.versions]


@pytest.mark.parametrize(("case", "version"), GROUPS, ids=lambda item: getattr(item, "name", item))
def test_every_version_has_one_of_our_keys_for_every_step(case: Case, version: str) -> None:
    ours = {key for op in ops_of(case) for key, _ in spelled(op)}
    theirs = {digest for digest, inputs, *_ in case.records(version) if inputs}
    if "limits" in case.beyond_reach(version):
        assert not theirs & ours
    else:
        assert theirs <= ours
