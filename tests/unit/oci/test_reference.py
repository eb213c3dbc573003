"""References as docker reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.oci import Digest, InvalidReference, Reference

SHA = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("debian", "docker.io/library/debian:latest"),
        ("debian:12", "docker.io/library/debian:12"),
        ("me/app", "docker.io/me/app:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/a/b:c", "localhost:5000/a/b:c"),
        ("127.0.0.1:5000/a", "127.0.0.1:5000/a:latest"),
        ("[::1]:5000/a", "[::1]:5000/a:latest"),
        ("reg.example/a__b/c-d.e:V1.0_x", "reg.example/a__b/c-d.e:V1.0_x"),
        (f"reg.example/a@{SHA}", f"reg.example/a@{SHA}"),
        (f"reg.example/a:1@{SHA}", f"reg.example/a:1@{SHA}"),
    ],
)
def test_a_reference_is_normalised_as_docker_does(text: str, full: str) -> None:
    assert str(Reference.parse(text)) == full
    assert Reference.parse(full) == Reference.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":1",
        "a:",
        "A",
        "reg.example/",
        "reg.example/a:-1",
        "a//b",
        "a@sha256:12",
        "a b",
        "-a",
        "a/../b",
        "a:" + "x" * 129,
    ],
)
def test_what_is_no_reference_is_refused_with_the_text(text: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        Reference.parse(text)
    assert f'"{text}"' in str(caught.value)


@given(st.text(max_size=80))
def test_any_text_is_a_reference_or_an_invalid_one(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except InvalidReference:
        return
    assert Reference.parse(str(reference)) == reference


def test_a_pinned_reference_keeps_its_tag_and_asks_by_digest() -> None:
    pinned = Reference.parse("reg.example/a:1").with_digest(Digest.parse(SHA))
    assert (pinned.tag, pinned.selector) == ("1", SHA)
    assert pinned.with_tag("2").digest is None
