"""Dockerfiles as graphs: what BuildKit does with them, seen in ops, config and history."""

import pytest
from imagebuild_engine.core.dockerfile import parse_dockerfile
from imagebuild_engine.core.frontend import BuildOptions, NeedsPins, Pins, lower
from imagebuild_engine.core.graph import (
    SCRATCH,
    Chown,
    ExecOp,
    FileOp,
    LocalSource,
    UserById,
    UserByName,
)
from imagebuild_engine.core.oci import (
    Reference,
)

from tests.support.lowering import (
    AMD64,
    PATH,
    commands,
    first_mkdir,
    image,
    last_copies,
    last_run,
    lowered,
    refusal,
)

OPTIONS = BuildOptions(platform=AMD64, build_platform=AMD64)


def test_setting_a_variable_moves_it_to_the_end_of_the_environment() -> None:
    plan = lowered("FROM base\nENV A=1 B=2\nENV A=3\nRUN x")
    assert last_run(plan).env == (PATH, "BASE=1", "B=2", "A=3")


def test_the_config_keeps_a_variable_in_its_place() -> None:
    assert lowered("FROM base\nENV A=1 B=2\nENV A=3").config.env == (PATH, "BASE=1", "A=3", "B=2")


def test_all_pairs_of_one_env_see_the_environment_before_it() -> None:
    plan = lowered("FROM base\nENV A=old\nENV A=new B=$A\nRUN x")
    assert last_run(plan).env[-2:] == ("A=new", "B=old")


@pytest.mark.parametrize(
    ("text", "args", "expected"),
    [
        ("FROM base\nARG V=default\nRUN x", {}, "V=default"),
        ("FROM base\nARG V=default\nRUN x", {"V": "given"}, "V=given"),
        ("ARG V=global\nFROM base\nARG V\nRUN x", {}, "V=global"),
        ("ARG V=global\nFROM base\nARG V=own\nRUN x", {}, "V=own"),
        ("ARG V=global\nFROM base\nARG V\nRUN x", {"V": ""}, "V="),
        ("FROM base\nARG TARGETARCH\nRUN x", {}, "TARGETARCH=amd64"),
    ],
)
def test_the_value_of_an_argument(text: str, args: dict[str, str], expected: str) -> None:
    assert last_run(lowered(text, args=args)).env[-1] == expected


def test_a_global_argument_is_unknown_until_the_stage_declares_it() -> None:
    plan = lowered("ARG V=1\nFROM base\nENV SEEN=[$V]\nRUN x")
    assert last_run(plan).env[-1] == "SEEN=[]"


def test_arguments_never_reach_the_image_config() -> None:
    assert lowered("FROM base\nARG V=1\nRUN x").config.env == (PATH, "BASE=1")


def test_run_history_lists_arguments_with_their_present_values() -> None:
    plan = lowered("FROM base\nARG A=1\nARG B\nENV A=2\nRUN x")
    assert plan.history[-1].created_by == "RUN |2 A=2 B= /bin/sh -c x # buildkit"


def test_a_base_image_without_path_gets_the_default_at_the_end() -> None:
    plan = lowered("FROM bare\nRUN x", image("bare", env=("X=1",)))
    assert last_run(plan).env == ("X=1", PATH)


def test_an_absolute_working_directory_is_kept_as_written_but_made_clean() -> None:
    plan = lowered("FROM base\nWORKDIR /a/../b\nRUN x")
    assert (first_mkdir(plan).path, last_run(plan).cwd) == ("/b", "/a/../b")


def test_the_root_as_working_directory_makes_no_step() -> None:
    plan = lowered("FROM base\nWORKDIR /")
    assert plan.steps == ()
    assert plan.history[-1].empty_layer


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("x", "/w/x"),
        ("x/", "/w/x/"),
        (".", "/w/"),
        ("./", "/w/"),
        ("/a//b/../c/", "/a/c/"),
        ("x/.", "/w/x/."),
        ("/", "/"),
    ],
)
def test_where_copy_copies_to(destination: str, expected: str) -> None:
    plan = lowered(f"FROM base\nWORKDIR /w\nCOPY a {destination}")
    assert last_copies(plan)[0].destination == expected


@pytest.mark.parametrize(
    ("source", "expected"), [("a", "/a"), ("./d/../a/", "/a"), ("../a", "/a"), (".", "/"), ("*.c", "/*.c")]
)
def test_what_copy_reads(source: str, expected: str) -> None:
    assert last_copies(lowered(f"FROM base\nCOPY {source} /q/"))[0].source == expected


def test_several_sources_are_a_chain_of_actions_in_one_step() -> None:
    plan = lowered("FROM base\nCOPY a b c /q/")
    found = [(action.input, action.source_input, action.output) for action in last_copies(plan)]
    assert found == [(0, 1, SCRATCH), (2, 1, SCRATCH), (3, 1, 0)]


def test_copy_onto_nothing_has_one_input() -> None:
    plan = lowered("FROM scratch\nCOPY a b /q/", {})
    found = [(action.input, action.source_input, action.output) for action in last_copies(plan)]
    assert found == [(SCRATCH, 0, SCRATCH), (1, 0, 0)]
    assert len(plan.steps[-1].inputs) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("root", Chown(user=UserById(id=0))),
        ("12:34", Chown(user=UserById(id=12), group=UserById(id=34))),
        ("bob:grp", Chown(user=UserByName(name="bob"), group=UserByName(name="grp"))),
        ("bob:", Chown(user=UserByName(name="bob"))),
    ],
)
def test_owners(text: str, expected: Chown) -> None:
    assert last_copies(lowered(f"FROM base\nCOPY --chown={text} a /q"))[0].owner == expected


def test_the_working_directory_belongs_to_the_user_of_the_moment() -> None:
    assert first_mkdir(lowered("FROM base\nUSER bob\nWORKDIR /w")).owner == Chown(user=UserByName(name="bob"))


def test_the_epoch_dates_directories_only() -> None:
    plan = lowered("FROM base\nWORKDIR /w\nCOPY a /b", source_date_epoch=7)
    assert (first_mkdir(plan).timestamp, last_copies(plan)[0].timestamp) == (7_000_000_000, -1)


def test_only_what_the_target_rests_on_is_needed() -> None:
    text = "FROM unused AS a\nRUN x\nFROM base AS b\nRUN y\nFROM scratch\nCOPY --from=b /o /o"
    result = lower(parse_dockerfile(text.encode()), OPTIONS, Pins())
    assert isinstance(result, NeedsPins)
    assert [request.reference for request in result.images] == [Reference.parse("base")]


def test_the_target_may_be_a_stage_in_the_middle() -> None:
    assert commands(lowered("FROM base AS a\nRUN one\nFROM base\nRUN two", target="A")) == ["one"]


def test_triggers_of_a_base_image_run_first_and_may_need_further_images() -> None:
    base = image("base", env=(PATH,), on_build=("COPY --from=tool /t /t",))
    text = "FROM base\nRUN x"
    result = lower(
        parse_dockerfile(text.encode()), BuildOptions(platform=AMD64, build_platform=AMD64), Pins(images=base)
    )
    assert isinstance(result, NeedsPins)
    assert [request.reference for request in result.images] == [Reference.parse("tool")]
    plan = lowered(text, base | image("tool"))
    assert [type(step.op) for step in plan.steps] == [FileOp, ExecOp]
    assert plan.config.on_build == ()


def test_own_triggers_are_kept_for_later_and_leave_no_history() -> None:
    plan = lowered("FROM base\nONBUILD RUN x")
    assert plan.config.on_build == ("RUN x",)
    assert len(plan.history) == 1


def test_an_entrypoint_drops_the_inherited_command_but_not_the_stage_s_own() -> None:
    base = image("base", cmd=("old",))
    assert lowered('FROM base\nENTRYPOINT ["e"]', base).config.cmd is None
    assert lowered('FROM base\nCMD ["new"]\nENTRYPOINT ["e"]', base).config.cmd == ("new",)


def test_the_shell_is_used_by_what_follows_it() -> None:
    plan = lowered('FROM base\nRUN one\nSHELL ["/bin/ash","-c"]\nRUN two\nCMD three')
    args = [step.op.args for step in plan.steps if isinstance(step.op, ExecOp)]
    assert args == [("/bin/sh", "-c", "one"), ("/bin/ash", "-c", "two")]
    assert plan.config.cmd == ("/bin/ash", "-c", "three")


def test_labels_of_the_caller_win() -> None:
    assert lowered("FROM base\nLABEL a=1 b=2", labels={"b": "3"}).config.labels == {"a": "1", "b": "3"}


def test_all_copies_share_one_context() -> None:
    plan = lowered("FROM base\nCOPY a /\nCOPY b /")
    contexts = {edge.vertex for step in plan.steps for edge in step.inputs if isinstance(edge.vertex.op, LocalSource)}
    assert len(contexts) == 1


def test_steps_say_where_they_come_from() -> None:
    origin = lowered("FROM base AS build\n\nRUN make").steps[0].origin
    assert origin is not None
    assert (origin.stage, origin.line, origin.instruction) == ("build", 3, "RUN make")


def test_no_cache_marks_every_step() -> None:
    steps = lowered("FROM base\nRUN x\nCOPY a /", no_cache=True).steps
    assert [step.ignore_cache for step in steps] == [True, True]


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("FROM base AS a\nCOPY --from=a /x /x", 2, "itself"),
        ("FROM base AS a\nCOPY --from=b /x /x\nFROM base AS b\nCOPY --from=a /x /x", 2, "later stage"),
        ("FROM base\nCOPY --from=7 /x /x", 2, "number"),
        ("FROM $NOTHING", 1, "empty"),
        ("FROM --platform=linux/ base", 1, "platform"),
        ("FROM base\nCOPY a b /q", 2, "slash"),
        ("FROM base\nENV M=99\nCOPY --chmod=$M a /q", 3, "octal"),
        ("FROM base\nEXPOSE 70000", 2, "70000"),
        ("ARG A=1\nARG B=${A:?no}\nARG C=${NOTHING:?absent}\nFROM base", 3, "absent"),
    ],
)
def test_mistakes_are_named_with_their_line(text: str, line: int, part: str) -> None:
    error = refusal(text)
    assert error.location is not None
    assert error.location.start == line
    assert part in str(error)


def test_a_misspelt_target_is_guessed() -> None:
    assert "build" in refusal("FROM base AS build\nRUN x", target="biuld").hint
