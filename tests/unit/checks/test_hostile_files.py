"""No file makes the checks fail with anything but a Dockerfile error, and checking changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st
from imagebuild_engine.core.checks import Facts, check
from imagebuild_engine.core.dockerfile import DockerfileError, IgnorePatterns, parse_dockerfile

from tests.support.check_cases import AMD64
from tests.support.effort import grows_no_faster_than_its_size

_WORDS = r"""scratch as AS A b $A ${b:-$C} ${A A=1 b=$b --platform=$TARGETPLATFORM --platform=x /x ../a 80:80/TCP
[::1]:1:1 90-80 ["a"] [ ' " \ TOKEN check=skip=all = # ENV CMD <<E --from=b --mount=type=cache,id=$A,target=/x"""
_KEYWORDS = "FROM from ARG ENV LABEL COPY ADD RUN CMD ENTRYPOINT EXPOSE USER WORKDIR VOLUME SHELL ONBUILD MAINTAINER"
WORDS = st.sampled_from([*_WORDS.split(), "\u202e", "\x00", "K\u017f"])
KEYWORDS = st.sampled_from(
    [*_KEYWORDS.split(), "STOPSIGNAL", "HEALTHCHECK CMD", "#", "# check=", "# check=experimental=all", ""]
)
LINES = st.tuples(KEYWORDS, st.lists(WORDS, max_size=4), st.sampled_from(["\n", "\r\n", "\\\n", "\\\n\n", "\n\n"]))
FILES = st.lists(LINES, max_size=12).map(
    lambda lines: "FROM scratch AS b\n" + "".join(f"{keyword} {' '.join(words)}{end}" for keyword, words, end in lines)
)
FACTS = Facts(
    platform=AMD64,
    build_platform=AMD64,
    predefined={"TARGETPLATFORM": "linux/amd64"},
    ignored=IgnorePatterns.parse("a\n*\n").matcher,
)


@settings(max_examples=300)
@given(FILES)
def test_any_file_that_is_read_is_checked_and_twice_the_same(text: str) -> None:
    with suppress(DockerfileError):
        dockerfile = parse_dockerfile(text.encode(errors="replace"))
        found = check(dockerfile, FACTS)
        assert check(dockerfile, FACTS) == found
        last = text.count("\n") + 1
        assert all(1 <= each.location.start <= each.location.end <= last for each in found.violations if each.location)
        assert all(char == "\n" or char.isprintable() for char in found.text(dockerfile.source))


def test_checking_takes_as_long_as_the_file_is() -> None:
    def work(stages: int) -> Callable[[], object]:
        text = "".join(
            f"# check=skip=A\nFROM scratch AS s{n}\nENV A{n}=$B{n} C=1\nCOPY a/b/c{n} /x\nCMD a\nEXPOSE 80/TCP\n"
            for n in range(stages)
        )
        dockerfile = parse_dockerfile(text.encode())
        return lambda: check(dockerfile, FACTS)

    assert grows_no_faster_than_its_size(work, 150)
