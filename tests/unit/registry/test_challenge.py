import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.host.registry.challenge import Challenge, InvalidChallenge, parse_challenges


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Basic realm="tests"', [Challenge("basic", {"realm": "tests"})]),
        ("Basic", [Challenge("basic", {})]),
        (
            'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"',
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://auth.example/token",
                        "service": "registry.example",
                        "scope": "repository:a/b:pull,push",
                    },
                )
            ],
        ),
        (
            'Negotiate, Basic realm="a, b", charset=UTF-8, Bearer realm="x"',
            [
                Challenge("negotiate", {}),
                Challenge("basic", {"realm": "a, b", "charset": "UTF-8"}),
                Challenge("bearer", {"realm": "x"}),
            ],
        ),
        ("Negotiate YWJj==, Basic realm=x", [Challenge("negotiate", {}), Challenge("basic", {"realm": "x"})]),
        (r'Basic realm="say \"hi\""', [Challenge("basic", {"realm": 'say "hi"'})]),
        ('BEARER REALM = "x" , service=y', [Challenge("bearer", {"realm": "x", "service": "y"})]),
        ("", []),
    ],
)
def test_a_challenge_is_read(header: str, expected: list[Challenge]) -> None:
    assert list(parse_challenges([header])) == expected


def test_several_headers_are_read_in_order() -> None:
    assert [item.scheme for item in parse_challenges(["Bearer realm=x", "Basic realm=y"])] == ["bearer", "basic"]


@pytest.mark.parametrize(
    "header",
    [
        'Bearer realm="unclosed',
        "Bearer realm=https://not.quoted/token",
        'Bearer realm="a" service="b"',
        'Bearer realm="a",realm="b"',
        "=",
        'Basic realm="line\nbreak"',
        "Basic " + "x" * 10_000,
    ],
)
def test_what_breaks_the_grammar_is_refused(header: str) -> None:
    with pytest.raises(InvalidChallenge):
        parse_challenges([header])


@given(st.text(max_size=60))
def test_any_text_ends_in_challenges_or_a_refusal(header: str) -> None:
    try:
        parse_challenges([header])
    except InvalidChallenge:
        return


_TOKENS = st.text("abcxyz-._", min_size=1, max_size=8)
_VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(st.dictionaries(_TOKENS, _VALUES, min_size=1, max_size=4))
def test_every_quoted_value_comes_back(parameters: dict[str, str]) -> None:
    def quoted(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"')

    header = "Bearer " + ", ".join(f'{name}="{quoted(value)}"' for name, value in parameters.items())
    assert parse_challenges([header]) == (Challenge("bearer", parameters),)
