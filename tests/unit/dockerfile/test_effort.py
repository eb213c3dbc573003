"""No input makes the readers work more than in proportion to its size: counted, not timed."""

from collections.abc import Callable

import pytest
from imagebuild_engine.core.dockerfile import (
    DockerfileError,
    expand,
    expand_document,
    expand_mount,
    parse_dockerfile,
    parse_git_reference,
    parse_mode,
)
from imagebuild_engine.core.dockerfile.mounts import read_mount

from tests.support.dockerfiles import judge
from tests.support.effort import calls_of, grows_no_faster_than_its_size
from tests.support.fuzzing import fuzz

FILES: dict[str, Callable[[int], str]] = {
    "instructions": lambda n: "RUN x\n" * n,
    "continuations": lambda n: "RUN x" + " \\\n  && y" * n + "\n",
    "comments inside": lambda n: "RUN x" + " \\\n# y" * n + "\n",
    "blank lines inside": lambda n: "RUN x \\\n" + "\n" * n + "\n",
    "backslashes": lambda n: "ENV a=" + "\\" * n + "\n",
    "pairs": lambda n: "ENV " + "a=b " * n + "\n",
    "a long word": lambda n: "ENV a=" + "b" * n + "\n",
    "sources": lambda n: "COPY " + "a " * n + "/b/\n",
    "flags": lambda n: "COPY " + "--exclude=a " * n + "a b\n",
    "mounts": lambda n: "RUN " + "--mount=target=/a " * n + "x\n",
    "keys of a mount": lambda n: "RUN --mount=" + "target=/a," * n + "ro x\n",
    "quotes in a mount": lambda n: 'RUN --mount=\\"target=' + '\\"\\"' * n + '\\" x\n',
    "heredocs": lambda n: "COPY <<A /x\n$b\nA\n" * n,
    "heredocs on one line": lambda n: "COPY " + "<<A " * n + "/x/\n" + "A\n" * n,
    "a long body": lambda n: "COPY <<A /x\n" + "a $b '\n" * n + "A\n",
    "heredocs that are none": lambda n: "RUN x " + "'<<A' " * n + "\n",
    "an unterminated heredoc": lambda n: "RUN <<A\n" + "  A b\n" * n,
    "a heredoc in a long line": lambda n: "RUN cat <<A" + " \\\n x" * n + "\nA\n",
    "strings": lambda n: "CMD [" + '"a",' * n + '"b"]\n',
    "brackets": lambda n: "CMD " + "[" * n + "]" * n + "\n",
    "stages": lambda n: "FROM b AS c\n" * n,
    "an error at the end": lambda n: "RUN x" + " \\\n y" * n + " \\\n z\nRUM x\n",
    "an unknown flag": lambda n: "COPY --" + "x" * n + " a b\n",
    "expansions": lambda n: "ENV a=" + "${b:-c}" * n + "\n",
    "URLs": lambda n: "ADD " + "https://example.com/a.git?ref=b#b " * n + "/x\n",
}
WORDS: dict[str, Callable[[int], object]] = {
    "many variables": lambda n: expand("$A${B:-x}" * n, {"A": "a"}),
    "a value replaced": lambda n: expand("${A//b/cc}", {"A": "ab" * n}),
    "a value cut": lambda n: expand("${A##*b}${A%%b*}${A#*x}${A%x*}", {"A": "ab" * n}),
    "many patterns": lambda n: expand("${A/b*c/d}" * n, {"A": "abcd"}),
    "a pattern of stars": lambda n: expand("${A//*a*b*/c}", {"A": "ab" * n}),
    "a body": lambda n: expand_document('a "b" $A `c` \\$\n' * n, {"A": "a"}),
    "quotes": lambda n: expand("\"a\"'b'" * n, {}),
    "a mount": lambda n: expand_mount(read_mount("src=a," * n + "ro"), lambda word: word),
    "a reference's query": lambda n: parse_git_reference("git@h:p?" + "&".join(f"k{i}" for i in range(n))),
    "a reference's path": lambda n: parse_git_reference("https://h/" + "%41/../" * n + ".git"),
    "a reference's subdirectory": lambda n: parse_git_reference("git@h:p#:" + "a/../" * n),
    "a reference of question marks": lambda n: parse_git_reference("git@h:" + "?#" * n),
    "a mode": lambda n: parse_mode("u+x," * n + "u+x").apply(0, False),
}


def refusable(work: Callable[[], object]) -> Callable[[], object]:
    def run() -> None:
        try:
            work()
        except DockerfileError as error:
            error.render()

    return run


@pytest.mark.parametrize("name", FILES)
def test_twice_the_file_is_twice_the_work(name: str) -> None:
    def work_of(size: int) -> Callable[[], object]:
        data = ("FROM a\n" + FILES[name](size)).encode()
        return refusable(lambda: judge(parse_dockerfile(data)))

    assert grows_no_faster_than_its_size(work_of, 200)


@pytest.mark.parametrize("name", WORDS)
def test_twice_the_word_is_twice_the_work(name: str) -> None:
    def work_of(size: int) -> Callable[[], object]:
        return refusable(lambda: WORDS[name](size))

    assert grows_no_faster_than_its_size(work_of, 200)


def test_a_mebibyte_is_read_with_few_calls_for_each_byte() -> None:
    line = (
        b"RUN --mount=type=cache,target=/c --network=none echo $HOME \\\n   && echo 'done' \\\n   # why\n   && true\n"
    )
    heredoc = b"COPY --chmod=u+x <<-EOF /bin/\n\techo $A\n\tEOF\n"
    data = b"FROM a\n" + (line + heredoc) * 6_500
    assert 900_000 < len(data) < 1 << 20
    calls = calls_of(lambda: _parse_limited(data))
    assert calls < 5 * len(data)


def _parse_limited(data: bytes) -> None:
    with pytest.raises(DockerfileError, match="more than 10000 instructions"):
        parse_dockerfile(data)


def test_the_work_of_a_words_patterns_is_limited() -> None:
    with pytest.raises(DockerfileError, match="too much work"):
        expand("${A//*/}" * 100, {"A": "a" * 100_000})
    with pytest.raises(DockerfileError, match="longer than 1024"):
        expand("${A#" + "x" * 2000 + "}", {"A": "a"})


def test_a_result_is_refused_before_it_is_made() -> None:
    value = {"A": "a" * 100_000}
    with pytest.raises(DockerfileError, match="the result is longer"):
        expand("$A" * 30_000, value)
    with pytest.raises(DockerfileError, match="the result is longer"):
        expand('"' + "$A" * 30_000 + '"', value)


def test_some_thousand_hostile_inputs_are_read_or_refused() -> None:
    findings = fuzz(2_000, seed=4)
    assert findings.broken == []
    assert 200 < findings.refused < 1_900
