"""Habits of BuildKit that no golden case covers."""

from collections.abc import Mapping

import pytest
from imagebuild_engine.core.dockerfile import DockerfileError, parse_dockerfile
from imagebuild_engine.core.frontend import BuildOptions, Lowered, PinnedImage, lower
from imagebuild_engine.core.graph import (
    Chown,
    CopyAction,
    ExecOp,
    FileOp,
    MkdirAction,
    UserByName,
)
from imagebuild_engine.core.oci import (
    Descriptor,
    Digest,
    HistoryEntry,
    ImageConfig,
    MediaType,
    Platform,
    Reference,
    RunConfig,
)

AMD64 = Platform("linux", "amd64")
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LAYER = Descriptor(media_type=MediaType.OCI_LAYER_GZIP, digest=Digest.of(b"layer"), size=5)


def image(name: str, **config: object) -> dict[Reference, PinnedImage]:
    """A pinned image of one layer under that name."""
    reference = Reference.parse(name)
    digest = Digest.of(name.encode())
    described = ImageConfig(
        platform=AMD64,
        config=RunConfig(**config),  # type: ignore[arg-type]
        diff_ids=(Digest.of(b"diff"),),
        history=(HistoryEntry(created="2026-01-01T00:00:00Z", created_by="base"),),
        author="Ann",
    )
    pinned = PinnedImage(
        reference=reference.with_digest(digest), digest=digest, platform=AMD64, config=described, layers=(LAYER,)
    )
    return {reference: pinned}


BASE = image("base", env=(PATH, "BASE=1"))


def lowered(
    text: str, images: Mapping[Reference, PinnedImage] = BASE, *, args: Mapping[str, str] | None = None, **more: object
) -> Lowered:
    options = BuildOptions(platform=AMD64, build_platform=AMD64, build_args=args or {}, **more)  # type: ignore[arg-type]
    result = lower(parse_dockerfile(text.encode()), options, images)
    assert isinstance(result, Lowered), result
    return result


def last_run(plan: Lowered) -> ExecOp:
    op = plan.steps[-1].op
    assert isinstance(op, ExecOp)
    return op


def last_copies(plan: Lowered) -> list[CopyAction]:
    op = plan.steps[-1].op
    assert isinstance(op, FileOp)
    return [action for action in op.actions if isinstance(action, CopyAction)]


def first_mkdir(plan: Lowered) -> MkdirAction:
    op = plan.steps[0].op
    assert isinstance(op, FileOp)
    action = op.actions[0]
    assert isinstance(action, MkdirAction)
    return action


def commands(plan: Lowered) -> list[str]:
    return [step.op.args[-1] for step in plan.steps if isinstance(step.op, ExecOp)]


def refusal(text: str, images: Mapping[Reference, PinnedImage] = BASE, **more: object) -> DockerfileError:
    with pytest.raises(DockerfileError) as caught:
        lowered(text, images, **more)  # type: ignore[arg-type]
    return caught.value


def test_several_sources_may_go_into_the_working_directory() -> None:
    assert [a.destination for a in last_copies(lowered("FROM base\nWORKDIR /w\nCOPY a b ."))] == ["/w/", "/w/"]


def test_copying_from_an_empty_stage_is_refused() -> None:
    assert "empty" in str(refusal("FROM scratch AS e\nFROM base\nCOPY --from=e / /x"))


def test_a_stage_on_a_stage_sets_the_image_s_variables_again() -> None:
    plan = lowered("FROM base AS a\nARG V=1\nFROM a\nRUN x")
    assert last_run(plan).env == ("V=1", PATH, "BASE=1")


def test_an_env_of_the_base_stage_wins_again_over_its_later_argument() -> None:
    plan = lowered("FROM base AS a\nENV V=env\nARG V=arg\nFROM a\nRUN x")
    assert last_run(plan).env[-1] == "V=env"


def test_triggers_do_not_come_along_but_run_in_the_stage_built_on_theirs() -> None:
    plan = lowered("FROM base AS a\nONBUILD RUN x\nFROM a\nRUN y")
    assert plan.config.on_build == ()
    assert commands(plan) == ["x", "y"]


def test_a_trigger_stands_where_from_stands() -> None:
    plan = lowered("# one\n# two\nFROM base\nRUN y", image("base", on_build=("RUN x",)))
    assert plan.steps[0].origin is not None
    assert plan.steps[0].origin.line == 3


def test_the_same_step_on_the_same_tree_is_one_step() -> None:
    plan = lowered("FROM base AS a\nRUN x\nFROM base\nRUN x\nCOPY --from=a /o /p")
    assert len(plan.steps) == 2
    assert len(plan.steps[-1].inputs) == 1


def test_the_last_stage_s_name_is_the_target_stage() -> None:
    assert last_run(lowered("FROM base AS app\nARG TARGETSTAGE\nRUN x")).env[-1] == "TARGETSTAGE=app"


def test_an_empty_working_directory_is_the_present_one() -> None:
    assert lowered("FROM base\nWORKDIR /w\nWORKDIR $UNSET").config.working_dir == "/w"


def test_a_run_without_a_command_is_refused() -> None:
    assert "command" in str(refusal("FROM base\nRUN []"))


def test_the_author_of_the_base_image_stays() -> None:
    assert lowered("FROM base\nRUN x").author == "Ann"


def test_a_command_counts_as_escaped() -> None:
    assert lowered('FROM base\nCMD ["x"]').config.args_escaped


def test_a_number_too_large_for_an_id_is_a_name() -> None:
    owner = last_copies(lowered("FROM base\nCOPY --chown=4294967296 a /q"))[0].owner
    assert owner == Chown(user=UserByName(name="4294967296"))
