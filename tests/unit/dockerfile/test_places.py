"""Line and column of what is wrong, and the mark under it."""

import pytest
from imagebuild_engine.core.dockerfile import DockerfileError, Location, Source, parse_dockerfile

SOURCE = Source(
    "Dockerfile", "FROM a\n  COPY --from=x \\\n  # --form=y is a comment\n  --form=y \\\n  form --form /z\n"
)
PLACE = Location(2, 5, 3)


@pytest.mark.parametrize(
    ("word", "nth", "place"),
    [
        ("--form", 1, Location(4, 4, 3)),
        ("--form", 2, Location(5, 5, 8)),
        ("form", 1, Location(5, 5, 3)),
        ("y", 1, Location(4, 4, 10)),
        ("=", 2, Location(4, 4, 9)),
        ("comment", 1, Location(3, 3, 19)),
        ("COPY", 1, None),
        ("for", 1, None),
        ("--form", 4, None),
    ],
)
def test_a_word_is_found_in_its_instruction(word: str, nth: int, place: Location | None) -> None:
    assert SOURCE.place_of(word, PLACE, nth) == place


def test_an_error_without_a_word_is_where_its_instruction_begins() -> None:
    assert str(DockerfileError("no").at(PLACE, SOURCE)) == "Dockerfile:2:3: no"
    assert str(DockerfileError("no", word="nowhere").at(PLACE, SOURCE)) == "Dockerfile:2:3: no"


def test_a_known_place_stays() -> None:
    error = DockerfileError("no", word="--form").at(PLACE, SOURCE)
    assert error.at(Location(1, 1, 1), Source("other", "")).location == Location(4, 4, 3)


def test_the_mark_stands_under_the_word_whatever_stands_before_it() -> None:
    source = Source("f", "\tENV 日本=é\u0301 bad")
    place = source.place_of("bad", Location(1, 1, 2))
    assert place == Location(1, 1, 12)
    line, mark = source.excerpt(place).splitlines()
    assert line == "1 | >>>  ENV 日本=é\u0301 bad"
    assert mark == "  |     " + " " * 12 + "^"  # two wide characters take four cells, the accent none


def test_a_far_column_is_shown_with_what_stands_before_it() -> None:
    source = Source("f", "x" * 1000 + " bad " + "y" * 1000)
    line, mark = source.excerpt(Location(1, 1, 1002)).splitlines()
    assert line.index("bad") == mark.index("^")
    assert len(line) < 300


def test_a_message_is_one_line_that_cannot_harm_a_terminal() -> None:
    with pytest.raises(DockerfileError) as caught:
        parse_dockerfile(b"FROM a\nRUN --net\x1b[31mwork=x y\n")
    assert "\x1b" not in caught.value.render()
    with pytest.raises(DockerfileError) as caught:
        parse_dockerfile(b"FROM a\n" + b"X" * 60_000)
    assert len(str(caught.value)) < 600


def test_a_location_without_a_column_marks_lines_only() -> None:
    assert SOURCE.excerpt(Location(1, 1), context=0) == "1 | >>> FROM a"
