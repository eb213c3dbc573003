"""Habits of BuildKit that no golden case covers."""

from imagebuild_engine.core.graph import (
    SCRATCH,
    Chown,
    UserByName,
)

from tests.support.lowering import (
    PATH,
    commands,
    image,
    last_copies,
    last_run,
    lowered,
    refusal,
)


def test_several_sources_may_go_into_the_working_directory() -> None:
    assert [a.destination for a in last_copies(lowered("FROM base\nWORKDIR /w\nCOPY a b ."))] == ["/w/", "/w/"]


def test_an_empty_stage_can_be_copied_from() -> None:
    (action,) = last_copies(lowered("FROM scratch AS e\nFROM base\nCOPY --from=e / /x"))
    assert (action.source_input, action.input) == (SCRATCH, 0)


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
