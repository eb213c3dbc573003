"""A step's spellings: which there are, and in which order."""

from dataclasses import replace
from typing import Any

import pytest
from imagebuild_engine.core.cache import Spelling, selector_of
from imagebuild_engine.core.graph import (
    ROOT_MOUNT,
    SCRATCH,
    CacheOption,
    Dialect,
    ExecOp,
    InputKey,
    LocalSource,
    MergeOp,
    Mount,
    MountKind,
    Op,
    SecretEnv,
    cache_map,
    op_text,
)
from imagebuild_engine.core.oci import Digest, Platform


def exec_op(*mounts: Mount, args: tuple[str, ...] = ("true",), **options: Any) -> ExecOp:
    platform = Platform("linux", "amd64")
    return ExecOp(args=args, env=(), cwd="/", platform=platform, mounts=mounts or (ROOT_MOUNT,), **options)


def spelled(op: Op, dialect: Dialect) -> Spelling:
    """What one dialect writes. The second spelling is that of a RUN's normal form."""
    return cache_map(op).spellings[dialect + bool(dialect)]


def test_a_run_has_two_texts_of_which_one_is_linked_in_two_ways() -> None:
    found = cache_map(exec_op())
    old = (Digest.of(op_text(exec_op(), Dialect.V0_9)),)
    root = selector_of(["/"])
    today = Spelling(digests=found.digests, selectors=(root,))
    assert found.spellings[0] == today
    assert list(dict.fromkeys(found.spellings)) == [
        today,
        Spelling(digests=found.digests, selectors=("",)),
        Spelling(digests=old, selectors=("",)),
    ]
    assert b"removeMountStubsRecursive" not in op_text(exec_op(), Dialect.V0_9)


def test_every_step_that_differs_has_a_spelling_for_every_version() -> None:
    cache = Mount(destination="/c", input=SCRATCH, kind=MountKind.CACHE, option=CacheOption(id="ns/x"))
    for op in (exec_op(), exec_op(ROOT_MOUNT, cache), MergeOp(count=2)):
        assert len(cache_map(op).spellings) == len(Dialect) + 1


def test_a_run_on_scratch_selects_nothing_in_any_version() -> None:
    found = cache_map(exec_op(Mount(destination="/", input=SCRATCH, output=0)))
    assert {spelling.selectors for spelling in found.spellings} == {()}


def test_a_text_s_normal_form_is_a_spelling_before_those_of_older_versions() -> None:
    plain, commented = exec_op(args=("/bin/sh", "-c", "a b")), exec_op(args=("/bin/sh", "-c", "a  b # c"))
    found = cache_map(replace(commented, normal_args=plain.args))
    assert found.spellings[0] == cache_map(commented).spellings[0]
    assert found.spellings[1] == cache_map(plain).spellings[0]
    assert found.spellings[2:] == cache_map(commented).spellings[2:]


def test_a_normal_form_is_no_part_of_a_step_s_identity() -> None:
    assert exec_op() == replace(exec_op(), normal_args=("other",))
    assert op_text(exec_op()) == op_text(replace(exec_op(), normal_args=("other",)))


def test_a_version_that_cannot_say_a_step_writes_nothing_more() -> None:
    found = cache_map(exec_op(secret_env=(SecretEnv(id="s", name="S"),)))
    assert {spelling.selectors for spelling in found.spellings} == {(selector_of(["/"]),)}
    assert {spelling.digests for spelling in found.spellings} == {found.digests}


def test_sources_have_one_spelling() -> None:
    assert cache_map(LocalSource(name="context")).older == ()


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        (Dialect.V0_17, '{"Type":"buildkit.merge.v0","Merge":{"inputs":[{},{"input":1},{"input":2}]}}'),
        (Dialect.V0_16, '{"Type":"buildkit.merge.v0","Merge":{"inputs":[{"input":0},{"input":1},{"input":2}]}}'),
    ],
)
def test_a_merge_counts_its_inputs(dialect: Dialect, text: str) -> None:
    assert op_text(MergeOp(count=3), dialect).decode() == text
    assert spelled(MergeOp(count=3), dialect).digests == (Digest.of(text.encode()),)


def test_a_merge_reads_nothing_and_its_text_was_once_its_digest() -> None:
    found = cache_map(MergeOp(count=2))
    assert found.digests == ("sha256:436287a2dc2ce494f564331be9ea3a9f27ebec398567877043da2f618f33d6c8",)
    assert found.inputs == (InputKey(selector=None, content=None),) * 2
    assert spelled(MergeOp(count=2), Dialect.V0_11).digests == (op_text(MergeOp(count=2), Dialect.V0_11).decode(),)
