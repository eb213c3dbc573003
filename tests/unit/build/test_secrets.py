"""Where secrets come from, and that what is shown has none of them."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imagebuild_engine.build.secrets import LIMIT, Redactor, SecretStore, SecretUnreadable
from imagebuild_engine.contract import SecretSource


def test_a_secret_comes_from_its_file_or_its_variable(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"of a file\n")
    store = SecretStore(
        [
            SecretSource(id="file", path=str(tmp_path / "f")),
            SecretSource(id="variable", env="V"),
            SecretSource(id="NAMED"),
            SecretSource(id="unset", env="NONESUCH"),
        ],
        {"V": "of a variable", "NAMED": "by its id"},
    )
    store.check()
    values = [store.get(name) for name in ("file", "variable", "NAMED", "unset", "nobody's")]
    assert values == [b"of a file\n", b"of a variable", b"by its id", b"", None]
    assert "of a" not in repr(store)


@pytest.mark.parametrize("kind", ["missing", "directory", "large"])
def test_what_cannot_be_read_is_said_before_the_first_step(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "directory":
        path.mkdir()
    if kind == "large":
        path.write_bytes(bytes(LIMIT + 1))
    store = SecretStore([SecretSource(id="s", path=str(path))], {})
    with pytest.raises(SecretUnreadable, match=f'secret "s".*{kind}'):
        store.check()
    with pytest.raises(SecretUnreadable):
        store.get("s")


def test_each_line_of_a_value_is_hidden_and_what_is_too_short_is_not() -> None:
    redact = Redactor([b"-----BEGIN-----\r\nline two\n\nabc\n", b"password", b"pass"])
    assert redact(b"x password y pass z") == b"x **** y **** z"
    assert redact(b"  line two") == b"  ****"
    assert redact(b"-----BEGIN-----") == b"****"
    assert redact(b"abc") == b"abc"


def test_of_a_long_value_every_line_is_hidden_where_it_is_all_of_a_line() -> None:
    lines = [b"line number %d" % number for number in range(5000)]
    redact = Redactor([b"\n".join(lines)])
    assert {redact(line) for line in lines} == {b"****"}


@settings(max_examples=100)
@given(st.binary(min_size=4, max_size=40), st.binary(max_size=40), st.binary(max_size=40))
def test_no_line_of_a_value_is_ever_shown(value: bytes, before: bytes, after: bytes) -> None:
    needles = [line.strip() for line in value.splitlines() if len(line.strip()) >= 4]
    shown = Redactor([value])(before + value + after)
    assert not any(needle in shown for needle in needles if needle not in b"****")
