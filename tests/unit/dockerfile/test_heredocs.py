"""Heredocs: where their bodies end, and what becomes of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imagebuild_engine.core.dockerfile import (
    Copy,
    DockerfileError,
    ExpansionError,
    HereDocument,
    Instruction,
    Location,
    OnBuild,
    Run,
    chomped,
    content_text,
    expand_document,
    parse_dockerfile,
    parse_instruction,
    sole_heredoc,
)


def one(text: str) -> Instruction:
    (instruction,) = parse_dockerfile(f"FROM a\n{text}".encode()).stages[0].instructions
    return instruction


def document(text: str, *, chomp: bool = False, expand: bool = True) -> HereDocument:
    return HereDocument(name="EOF", text=text, chomp=chomp, expand=expand)


def test_an_instruction_ends_where_its_last_body_ends() -> None:
    dockerfile = parse_dockerfile(b"FROM a\nRUN cat <<A <<B\n1\nA\n2\nB\nRUN x\n")
    first, second = dockerfile.stages[0].instructions
    assert first.location == Location(2, 6, 1)
    assert second.location == Location(7, 7, 1)


@pytest.mark.parametrize(
    ("text", "sole"),
    [
        ("RUN <<EOF\nx\nEOF\n", True),
        ("RUN --network=none <<-'EOF'\nx\nEOF\n", True),
        ("RUN 3<<EOF\nx\nEOF\n", True),
        ("RUN <<EOF cat\nx\nEOF\n", False),
        ("RUN cat <<EOF\nx\nEOF\n", False),
        ("RUN <<EOF <<EOF\nEOF\nEOF\n", False),
        ("RUN x", False),
        ('RUN ["<<EOF"]', False),
    ],
)
def test_a_body_is_the_command_if_the_heredoc_is_all_there_is(text: str, sole: bool) -> None:
    run = one(text)
    assert isinstance(run, Run)
    assert (sole_heredoc(run) is not None) == sole


def test_tabs_go_before_variables_are_expanded() -> None:
    env = {"TABS": "\t\ttwo\n\tone"}
    assert content_text(document("\t\t$TABS\n\n\t", chomp=True), lambda text: expand_document(text, env)) == (
        "\t\ttwo\n\tone\n\n"
    )


def test_a_quoted_name_keeps_the_body_as_it_is() -> None:
    copy = one("COPY <<'EOF' /x\n$A \\\\ ${\nEOF\n")
    assert isinstance(copy, Copy)

    def never(text: str) -> str:
        raise AssertionError(text)

    assert content_text(copy.contents[0], never) == "$A \\\\ ${\n"


def test_without_a_dash_tabs_stay() -> None:
    assert chomped(document("\ta\n")) == "\ta\n"


def test_in_a_body_quotes_are_characters_and_the_escape_character_is_the_backslash() -> None:
    assert expand_document("'$A' \"$A\" `$A \\$A it's\n", {"A": "x"}) == "'x' \"x\" `x $A it's\n"


def test_a_wrong_body_is_blamed_by_its_line_and_column() -> None:
    dockerfile = parse_dockerfile(b"FROM a\nCOPY <<EOF /x\nok $A\n# not ok: ${A:=b}\nEOF\n")
    (copy,) = dockerfile.stages[0].instructions
    assert isinstance(copy, Copy)
    with pytest.raises(ExpansionError) as caught:
        content_text(copy.contents[0], lambda text: expand_document(text, {}))
    assert caught.value.at(copy.location, dockerfile.source).location == Location(4, 4, 11)


def test_a_trigger_with_a_body_can_be_read_again() -> None:
    onbuild = one("ONBUILD COPY <<-A <<'B' /x/\n\t1\n\t\tA\n2\nB\n")
    assert isinstance(onbuild, OnBuild)
    copy = parse_instruction(onbuild.trigger, origin="base")
    assert isinstance(copy, Copy)
    assert [(content.name, content.text, content.expand) for content in copy.contents] == [
        ("A", "\t1\n", True),
        ("B", "2\n", False),
    ]


BODY = st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=12), max_size=6)


@settings(max_examples=100, deadline=None)
@given(BODY, st.booleans())
def test_any_lines_are_a_body_up_to_the_name(lines: list[str], chomp: bool) -> None:
    body = "".join(line + "\n" for line in lines)
    name = "END-OF-BODY"
    instruction = one(f"RUN cat <<{'-' if chomp else ''}{name}\n{body}{name}\n")
    assert isinstance(instruction, Run)
    assert instruction.heredocs[0].text == body


@pytest.mark.parametrize("name", ["", "x", '"', "'a", "<", "-", "$", "a b"])
def test_any_start_of_a_heredoc_is_read_or_refused(name: str) -> None:
    for instruction in ("RUN", "COPY", "ADD x", "ONBUILD RUN"):
        try:
            parse_dockerfile(f"FROM a\n{instruction} <<{name} /y\nx\n".encode())
        except DockerfileError as error:
            assert error.location is not None
