"""The corpus, its exceptions and the table in the documentation agree with each other."""

from collections import Counter

from tests.interop.corpus import CASES, THEMES
from tests.interop.corpus.generated import generated
from tests.interop.exceptions import CHECKS, applying, exceptions
from tests.interop.table import BUILDERS, FILE, render, without_measures


def test_the_corpus_is_large_and_every_name_is_one_cases() -> None:
    assert len(CASES) >= 120
    assert len(THEMES["applications"]) >= 20
    assert len(THEMES["golden"]) == 43
    assert not [name for name, count in Counter(case.name for case in CASES).items() if count > 1]


def test_every_instruction_is_in_the_corpus() -> None:
    words = {line.split()[0].upper() for case in CASES for line in case.dockerfile.splitlines() if line.split()}
    instructions = "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL"
    assert {*instructions.split(), "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"} <= words


def test_every_flag_is_in_the_corpus() -> None:
    text = "\n".join(case.dockerfile for case in CASES)
    flags = "chown chmod link keep-git-dir checksum unpack exclude from parents platform interval timeout start-period"
    more = "start-interval retries mount network security"
    assert not [flag for flag in f"{flags} {more}".split() if f"--{flag}" not in text]


def test_a_seed_makes_the_same_case_every_time() -> None:
    assert generated(7) == generated(7)
    assert generated(7).dockerfile != generated(8).dockerfile


def test_exceptions_are_of_cases_and_checks_that_exist() -> None:
    names = {case.name: case for case in CASES}
    for item in exceptions():
        assert item.check in CHECKS
        assert item.builder in BUILDERS
        assert item.reason
        assert item.findings
        assert item.general or not [case for case in item.cases if item.builder in names[case].refused]


def test_the_table_is_up_to_date() -> None:
    """`IMAGEBUILD_WRITE_TABLE=1 make interop` writes it."""
    assert without_measures(FILE.read_text()) == without_measures(render({}))


def test_most_checks_need_no_exception() -> None:
    pairs = [(check, case.name) for check in CHECKS for case in CASES if "buildkitd" not in case.refused]
    excused = [pair for pair in pairs if applying(pair[0], "buildkitd", pair[1])]
    assert len(excused) < len(pairs) / 10
