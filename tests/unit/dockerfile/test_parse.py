"""Places, limits, single instructions, stage names: what the golden files do not show."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imagebuild_engine.core.dockerfile import (
    Copy,
    DockerfileError,
    Env,
    ExecForm,
    Healthcheck,
    Limits,
    Location,
    OnBuild,
    Run,
    ShellForm,
    Source,
    parse_dockerfile,
    parse_instruction,
    remote_kind,
    suggest,
)
from imagebuild_engine.core.dockerfile.durations import parse_duration


def run_of(text: str) -> str:
    """The command of the first RUN in a stage."""
    instruction = parse_dockerfile(("FROM a\n" + text).encode()).stages[0].instructions[0]
    assert isinstance(instruction, Run)
    assert isinstance(instruction.command, ShellForm)
    return instruction.command.text


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("RUN a \\\n  b", "a   b"),
        ("RUN a\\\nb", "ab"),
        ("RUN a \\ \t \nb", "a b"),
        ("RUN a \\\r\n b\r\n", "a  b"),
        ("RUN a \\\n\n\n b", "a  b"),
        ("RUN a \\\n# c \\\n b", "a  b"),
        ("RUN a \\\n  # c\n b", "a  b"),
        ("RUN a \\\\\nRUN b", "a \\\\"),
        ("RUN a \\", "a"),
        ("RUN \\\n a", "a"),
        ("RUN \\\n  \\\n a", "a"),
        ("\\\nRUN a", "a"),
        ("RUN a # no comment", "a # no comment"),
        ("RUN\ta\t b ", "a\t b"),
        ("RUN 'a \\\n b'", "'a  b'"),
        ("RUN a \\b\\\n", "a \\b"),
        ("   RUN a", "a"),
        ("RUN a \\\n\u00a0\n b", "a  b"),
        ("RUN a\x1cb \x1c", "a\x1cb \x1c"),
    ],
)
def test_lines_are_joined_as_buildkit_joins_them(text: str, command: str) -> None:
    assert run_of(text) == command


def test_an_instruction_knows_its_lines_and_its_stage_too() -> None:
    dockerfile = parse_dockerfile(b"\n\nFROM a\n\nRUN x \\\n # c\n  y\n\n# end\nFROM b\n")
    first, second = dockerfile.stages
    assert first.location == Location(3, 7, 1)
    assert first.instructions[0].location == Location(5, 7, 1)
    assert first.instructions[0].text == "RUN x   y"
    assert second.location == Location(10, 10, 1)


def test_the_file_is_called_what_its_reader_calls_it() -> None:
    with pytest.raises(DockerfileError, match=r"^docker/app\.Dockerfile:1:1: unknown instruction"):
        parse_dockerfile(b"HELLO", name="docker/app.Dockerfile")


def test_stages_are_found_by_name_without_case_and_by_number() -> None:
    dockerfile = parse_dockerfile(b"FROM x AS Build\nFROM y\nFROM build AS last\n")
    build, second, last = dockerfile.stages
    assert dockerfile.stage("BUILD") is build
    assert dockerfile.stage("1") is second
    assert dockerfile.stage("last") is last
    assert dockerfile.stage("last", before=2) is None
    assert dockerfile.stage("2", before=2) is None
    assert dockerfile.stage("3") is None
    assert dockerfile.stage("x") is None
    assert dockerfile.stage("9" * 30) is None


def test_of_two_stages_with_one_name_the_later_counts() -> None:
    dockerfile = parse_dockerfile(b"FROM x AS a\nFROM y AS A\nFROM z\n")
    found = dockerfile.stage("a")
    assert found is not None
    assert found.base == "y"
    earlier = dockerfile.stage("a", before=1)
    assert earlier is not None
    assert earlier.base == "x"


def test_the_escape_character_is_told() -> None:
    assert parse_dockerfile(b"# escape=`\nFROM a").escape == "`"
    assert parse_dockerfile(b"FROM a").escape == "\\"


@pytest.mark.parametrize(
    ("limits", "data", "message"),
    [
        (Limits(file_bytes=10), b"FROM abcdefgh\n", "larger than the limit of 10"),
        (Limits(lines=2), b"FROM a\n\n\n", "more than 2 lines"),
        (Limits(instructions=2), b"FROM a\nRUN b\nRUN c\n", "Dockerfile:3:1: more than 2 instructions"),
        (
            Limits(),
            b"FROM a\nRUN " + b"x" * 65_532 + b"\n",
            "Dockerfile:2:1: line greater than max allowed size of 65535",
        ),
    ],
)
def test_a_file_too_large_is_refused(limits: Limits, data: bytes, message: str) -> None:
    with pytest.raises(DockerfileError, match=message):
        parse_dockerfile(data, limits=limits)


def test_lines_and_files_at_the_limit_are_read() -> None:
    parse_dockerfile(b"FROM a\nRUN " + b"x" * 65_531 + b"\n")
    parse_dockerfile(b"FROM a\n#" + "é".encode() * 32_767 + b"\n")
    parse_dockerfile(b"FROM a\nRUN b\n", limits=Limits(instructions=2, lines=2))


def test_deeply_nested_json_is_no_array_of_strings() -> None:
    assert run_of("RUN " + "[" * 20_000).startswith("[[[")


def test_a_huge_number_makes_an_array_no_json() -> None:
    assert run_of("RUN [1e999]") == "[1e999]"
    assert run_of("RUN [" + "9" * 5_000 + "]").startswith("[999")
    assert run_of("RUN [NaN]") == "[NaN]"


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1h2m3s", 3_723_000_000_000),
        ("1.5s", 1_500_000_000),
        (".5s", 500_000_000),
        ("5.s", 5_000_000_000),
        ("1ms", 1_000_000),
        ("1000us", 1_000_000),
        ("1000µs", 1_000_000),
        ("1000μs", 1_000_000),
        ("1000000ns", 1_000_000),
        ("+2s", 2_000_000_000),
        ("0", 0),
        ("-0", 0),
        ("0h0s", 0),
        ("2562047h", 9_223_369_200_000_000_000),
    ],
)
def test_durations_are_gos(text: str, nanoseconds: int) -> None:
    assert parse_duration(text) == nanoseconds


def test_a_greek_microsecond_is_garbled_in_a_flag_as_in_buildkit() -> None:
    with pytest.raises(DockerfileError, match="unknown unit"):
        parse_instruction("HEALTHCHECK --interval=1000μs CMD x", origin="test")


def test_the_healthchecks_times_are_nanoseconds() -> None:
    check = parse_instruction("HEALTHCHECK --interval=1m --start-interval=1.5s --retries=+3 CMD x", origin="test")
    assert isinstance(check, Healthcheck)
    assert (check.interval, check.timeout, check.start_interval, check.retries) == (60 * 10**9, 0, 1_500_000_000, 3)


@pytest.mark.parametrize(
    "text", ["5", "s", ".s", "1.2.3s", "1d", "1s 2s", "-1s", "999999ns", "2562048h", "9" * 50 + "s", "+"]
)
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(DockerfileError, match="HEALTHCHECK --interval"):
        parse_instruction(f'HEALTHCHECK "--interval={text}" CMD x'.replace('"--', '--"'), origin="test")


def test_a_trigger_is_read_alone_and_blames_the_base_image() -> None:
    trigger = parse_instruction("COPY --chown=1 . /app", origin="ONBUILD of docker.io/library/node:22")
    assert isinstance(trigger, Copy)
    assert trigger.location == Location(1, 1, 1)
    with pytest.raises(DockerfileError) as caught:
        parse_instruction("RUN --device=gpu x", origin="ONBUILD of docker.io/library/node:22")
    assert str(caught.value) == "ONBUILD of docker.io/library/node:22:1:5: not supported yet: RUN --device"


@pytest.mark.parametrize("text", ["", "# only a comment", "RUN a\nRUN b", "FROM a", "NONSENSE", "\ud800"])
def test_a_trigger_is_exactly_one_instruction_and_no_from(text: str) -> None:
    with pytest.raises(DockerfileError):
        parse_instruction(text, origin="base")


def test_a_trigger_keeps_its_blanks_for_the_image_config() -> None:
    (instruction,) = parse_dockerfile(b"FROM a\n  oNbUiLd  RUN  x \t\n").stages[0].instructions
    assert isinstance(instruction, OnBuild)
    assert instruction.trigger == "RUN  x \t"


def test_legacy_pairs_are_told_apart() -> None:
    (env,) = parse_dockerfile(b"FROM a\nENV A b=c\n").stages[0].instructions
    assert isinstance(env, Env)
    assert [(pair.key, pair.value, pair.legacy) for pair in env.pairs] == [("A", "b=c", True)]


def test_an_exec_form_may_be_empty_and_a_shell_form_too() -> None:
    commands = [
        i.command for i in parse_dockerfile(b"FROM a\nRUN []\nRUN").stages[0].instructions if isinstance(i, Run)
    ]
    assert commands == [ExecForm(()), ShellForm("")]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("a/b", None),
        ("./https://x", None),
        ("https://example.com/a.tar.gz", "http"),
        ("http://example.com", "http"),
        ("https://example.com/a.git", "git"),
        ("https://example.com/a.git#main:sub", "git"),
        ("https://example.com/a.git/x", "http"),
        ("git://example.com/a", "git"),
        ("ssh://git@example.com/a", "git"),
        ("git@example.com:a/b", "git"),
        ("github.com/moby/buildkit", None),
        ("file@2x.png", None),
    ],
)
def test_which_sources_are_fetched(source: str, kind: str | None) -> None:
    assert remote_kind(source) == kind


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("biulder", 'did you mean "builder"?'),
        ("BUILDER", ""),
        ("other", ""),
        ("builde", 'did you mean "builder"?'),
        ("x" * 100, ""),
    ],
)
def test_a_near_name_is_suggested(word: str, hint: str) -> None:
    assert suggest(word, ["runtime", "builder"]) == hint


def test_nothing_is_suggested_where_nothing_is_known() -> None:
    assert suggest("x", []) == ""


def test_an_excerpt_is_numbered_marked_and_cut() -> None:
    source = Source("f", "\n".join(f"line {n}" for n in range(1, 101)) + "\n")
    assert source.excerpt(Location(9, 10), context=1) == (
        " 8 |     line 8\n 9 | >>> line 9\n10 | >>> line 10\n11 |     line 11"
    )
    assert source.excerpt(Location(1, 1), context=0) == "1 | >>> line 1"
    assert source.excerpt(Location(100, 100)).splitlines()[-1] == "100 | >>> line 100"
    assert len(source.excerpt(Location(1, 100)).splitlines()) < 30
    assert "\x1b" not in Source("f", "a\x1b[31mb").excerpt(Location(1, 1))
    assert len(Source("f", "x" * 5_000).excerpt(Location(1, 1))) < 300


def test_an_error_gets_its_place_from_who_knows_it() -> None:
    source = Source("Dockerfile", "FROM a\nCOPY x y\n")
    error = DockerfileError("no such stage", hint='did you mean "b"?')
    assert str(error) == 'no such stage (did you mean "b"?)'
    placed = error.at(Location(2, 2), source)
    assert str(placed) == 'Dockerfile:2: no such stage (did you mean "b"?)'
    assert placed.render().splitlines()[2] == "2 | >>> COPY x y"
    assert placed.at(Location(1, 1), Source("other", "")).location == Location(2, 2)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_dockerfile_or_refused(data: bytes) -> None:
    with contextlib.suppress(DockerfileError):
        parse_dockerfile(data)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40))
def test_any_refusal_can_be_shown(text: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse_dockerfile(b"FROM a\nNO" + text.encode(errors="replace"))
    assert caught.value.render().count("\n") >= 1


TOKENS = st.sampled_from(
    [
        *"ABCx=\"'\\`$ \t[],{}:-#<\r\n\x00\u2028\ufeffé",
        *("\\\n", "FROM a\n", " AS ", "# escape=`\n", "<<EOF", '["a"]', "--from=", "--chown=", "--chmod=7", "--mount="),
        *("RUN ", "ENV ", "COPY ", "ADD ", "ARG ", "ONBUILD ", "LABEL ", "HEALTHCHECK ", "CMD ", "VOLUME ", "SHELL "),
        *("\nRUN ", "\nENV ", "\nCOPY ", "\nARG ", "\nHEALTHCHECK --interval="),
    ]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(TOKENS, max_size=25).map("".join))
def test_any_text_made_of_a_dockerfiles_pieces_is_read_or_refused(text: str) -> None:
    try:
        dockerfile = parse_dockerfile(("FROM a\n" + text).encode())
    except DockerfileError:
        return
    lines = text.count("\n") + 2
    for stage in dockerfile.stages:
        for instruction in stage.instructions:
            assert 1 <= instruction.location.start <= instruction.location.end <= lines
            assert "\n" not in instruction.text
