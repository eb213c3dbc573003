"""A byte fuzzer for the readers of Dockerfiles: whatever the input, a DockerfileError that can be shown or a result.

    python -m tests.support.fuzzing --inputs 200000 --seed 1      (make fuzz)
    python -m tests.support.fuzzing --replay 1:4711               that one input, with its traceback

Every input follows from its seed and number alone: a golden Dockerfile with bytes changed, removed and spliced, lines
that begin with an instruction, or pieces of the language in any order.
"""

import argparse
import random
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

from imagebuild_engine.core.dockerfile import (
    DockerfileError,
    IgnorePatterns,
    OnBuild,
    expand_document,
    expand_mount,
    expansion,
    parse_dockerfile,
    parse_git_reference,
    parse_instruction,
    parse_mode,
)
from imagebuild_engine.core.dockerfile.mounts import read_mount

from .dockerfiles import judge

CORPUS = Path(__file__).parents[1] / "golden" / "dockerfile"
CPU_SECONDS = 20
"""Of one input, before it counts as a hang. Inputs are some kilobytes at most and take about a millisecond."""
PIECES: tuple[bytes, ...] = tuple(
    piece.encode()
    for piece in (
        *"ABCx=\"'\\`$ \t[],{}:-#<>@?&%+*/.!~\r\n\0\x1b\u2028\ufeffé語",
        *(
            "\\\n",
            "`\n",
            "\r\n",
            "\n",
            "\n",
            "\n",
            "# escape=`\n",
            "# syntax=docker/dockerfile:1\n",
            "# check=error=true\n",
        ),
        *(
            "FROM a",
            " AS b",
            "ARG ",
            "ENV ",
            "LABEL ",
            "RUN ",
            "COPY ",
            "ADD ",
            "CMD ",
            "ENTRYPOINT ",
            "SHELL ",
            "USER ",
        ),
        *("WORKDIR ", "VOLUME ", "EXPOSE ", "ONBUILD ", "HEALTHCHECK ", "STOPSIGNAL ", "MAINTAINER ", "NONE ", "CMD "),
        *("<<EOF", "<<-EOF", '<<"EOF"', "<<A", "EOF", "EOF\n", "\tEOF\n", "A\n", '["a"]', '["<<EOF", "b"]', "<<<"),
        *("--from=", "--chown=", "--chmod=", "--link ", "--parents ", "--exclude=", "--checksum=", "--keep-git-dir "),
        *("--unpack ", "--mount=", "--network=none ", "--security=", "--device=", "--platform=", "--interval=", "-- "),
        *("type=", "bind", "cache", "tmpfs", "secret", "ssh", ",target=/x", ",source=", ",id=", ",sharing=", ",mode="),
        *(
            ",uid=",
            ",size=1g",
            ",required",
            ",ro",
            ",rw=",
            ",env=",
            "u+x",
            "a=rwX",
            "g=u",
            ",o-w",
            "0755",
            "1h2m",
            "ms",
        ),
        *("https://", "git://", "git@h:", "ssh://", "example.com", "/a.git", "#main:sub", "?ref=", "&tag=", "&subdir="),
        *("${A:-", "${A:+", "${A:?", "${A#", "${A##", "${A%", "${A%%", "${A/", "${A//", "}", "$A", "${B}", "$$", "${"),
    )
)
STARTS = (
    *(b"RUN ", b"COPY a ", b"ADD a ", b"COPY --chmod=", b"ENV A=", b"LABEL b=", b"WORKDIR ", b"USER ", b"CMD "),
    *(b"ONBUILD RUN ", b"RUN --mount=", b"ARG A=", b"COPY <<EOF ", b"RUN <<EOF ", b"EXPOSE ", b"ADD git@h:"),
    b"HEALTHCHECK CMD ",
)
ENV = {"A": "a/b c.tar.gz", "B": "", "X": "*\\x$"}


class Hang(BaseException):
    """One input took more processor time than it may."""


@dataclass
class Findings:
    """What a run met. `broken` are inputs, by their number, with what went wrong."""

    inputs: int = 0
    refused: int = 0
    octets: int = 0
    slowest: float = 0.0
    slowest_number: int = 0
    broken: list[tuple[int, str]] = field(default_factory=list)


def corpus() -> list[bytes]:
    """The good golden Dockerfiles, in which a small change is likely to be read further than its beginning."""
    return [path.read_bytes() for path in sorted(CORPUS.glob("good/*/Dockerfile"))]


def input_of(seed: int, number: int, seeds: Sequence[bytes]) -> bytes:
    rng = random.Random(f"{seed}:{number}")
    kind = rng.randrange(4)
    if kind == 0:
        head = b"FROM a\n" if rng.random() < 0.7 else b""
        return head + b"".join(rng.choices(PIECES, k=int(rng.expovariate(1 / 15)) + 1))
    if kind == 1:
        starts = rng.choices(STARTS, k=rng.randint(1, 3))
        return b"FROM a" + b"".join(
            b"\n" + start + b"".join(rng.choices(PIECES, k=rng.randint(1, 6))) for start in starts
        )
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(data))
        match rng.randrange(5):
            case 0:
                data[at:at] = rng.choice(PIECES)
            case 1:
                del data[at : at + rng.randint(1, 12)]
            case 2:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 3:
                other = rng.choice(seeds)
                start = rng.randint(0, len(other))
                data[at:at] = other[start : start + rng.randint(1, 40)]
            case _:
                data[at:at] = bytes(data[at : at + rng.randint(1, 8)]) * rng.randint(1, 30)
    return bytes(data)


def check(data: bytes) -> bool:
    """Was the input read? Raises if a reader does anything else than reading or refusing it properly."""
    read = _refusable(partial(_read, data))
    text = data.decode(errors="replace")
    for word in (text, *re.split(r"[\s=]+", text)[-2:]):
        for reader in _WORD_READERS:
            _refusable(partial(reader, word), placed=False)
    return read


def _read(data: bytes) -> None:
    dockerfile = parse_dockerfile(data)
    lines = dockerfile.source.text.count("\n") + 1
    last = 0
    for stage in dockerfile.stages:
        for instruction in (stage.from_instruction, *stage.instructions):
            place = instruction.location
            assert last < place.start <= place.end <= lines, "places overlap"
            assert place.column > 0, "no column"
            last = place.end
            if isinstance(instruction, OnBuild):
                _refusable(partial(parse_instruction, instruction.trigger, origin="base"))
    judge(dockerfile)


def _refusable(read: Callable[[], object], *, placed: bool = True) -> bool:
    """Reads; a refusal must be one line, with a place that the excerpt marks unless a word alone was read."""
    try:
        read()
    except DockerfileError as error:
        assert "\n" not in str(error), "an error of several lines"
        if placed:
            assert re.match(r"[^:]*:[0-9]+:[0-9]+: .", str(error)), f"no place: {error}"
            assert "^" in error.render(), "nothing marked"
        return False
    return True


_WORD_READERS: tuple[Callable[[str], object], ...] = (
    lambda word: expansion(word, ENV),
    lambda word: expansion(word, ENV, escape="`"),
    lambda word: expand_document(word, ENV),
    lambda word: expand_mount(read_mount(word), lambda text: expand_document(text, ENV)),
    lambda word: parse_mode(word).apply(0o644, True),
    parse_git_reference,
    IgnorePatterns.parse,
)


def fuzz(inputs: int, seed: int) -> Findings:
    """Checks that many inputs, in the main thread."""
    findings = Findings()
    seeds = corpus()
    signal.signal(signal.SIGVTALRM, _hang)
    for number in range(inputs):
        data = input_of(seed, number, seeds)
        begun = time.process_time()
        signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
        try:
            findings.refused += not check(data)
        except (Exception, Hang) as problem:
            findings.broken.append((number, f"{type(problem).__name__}: {problem}"))
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        took = time.process_time() - begun
        if took > findings.slowest:
            findings.slowest, findings.slowest_number = took, number
        findings.inputs += 1
        findings.octets += len(data)
    return findings


def _hang(_signal: int, _frame: FrameType | None) -> None:
    raise Hang(f"more than {CPU_SECONDS} s of processor time")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.fuzzing", description="Fuzz the Dockerfile reader.")
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--replay", metavar="SEED:NUMBER")
    options = parser.parse_args(arguments)
    if options.replay:
        seed, _, number = options.replay.partition(":")
        data = input_of(int(seed), int(number), corpus())
        print(data)
        print("read" if check(data) else "refused")
        return 0
    findings = fuzz(options.inputs, options.seed)
    print(
        f"{findings.inputs} inputs of seed {options.seed}, {findings.octets} bytes: {findings.refused} refused,"
        f" {len(findings.broken)} broken; the slowest is number {findings.slowest_number}, {findings.slowest:.3f} s"
    )
    for number, problem in findings.broken[:20]:
        print(f"--replay {options.seed}:{number}  {problem}")
    return 1 if findings.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
