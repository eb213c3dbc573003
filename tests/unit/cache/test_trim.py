"""What an attached cache leaves out: results that are sooner made again than pulled, and what does not fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.cache import CostedResult, trimmed
from imagebuild_engine.core.cache.trim import PULL_BYTES_PER_SECOND
from imagebuild_engine.core.oci import Digest

MB = 1_000_000
BASE = "base"


def digest(name: str) -> Digest:
    return Digest.of(name.encode())


def result(*layers: tuple[str, int], seconds: float = 0.0) -> CostedResult:
    return CostedResult(
        layers=((digest(BASE), 30 * MB), *((digest(name), size) for name, size in layers)), seconds=seconds
    )


OWN = [digest(BASE)]


def test_a_step_that_is_sooner_run_than_pulled_is_left_out() -> None:
    copied, compiled = result(("copy", 100 * MB), seconds=0.4), result(("make", 100 * MB), seconds=60)
    found = trimmed([copied, compiled], OWN)
    assert (found.kept, found.cheap, found.oversize) == ({1}, 1, 0)
    assert trimmed([copied, compiled], OWN, keep_cheap=True).kept == {0, 1}


@pytest.mark.parametrize(
    ("size", "seconds", "stays"),
    [
        (100 * MB, 1.999, False),
        (100 * MB, 2.0, True),
        (1 << 20, 0.001, False),
        ((1 << 20) - 1, 0.001, True),  # too small to matter
        (100 * MB, 0.0, True),  # nobody knows how long it took
    ],
)
def test_the_assumed_speed_decides(size: int, seconds: float, stays: bool) -> None:
    assert PULL_BYTES_PER_SECOND == 50 * MB
    assert bool(trimmed([result(("x", size), seconds=seconds)], OWN).kept) is stays


def test_what_an_expensive_step_lies_on_stays() -> None:
    copied = ("copy", 100 * MB)
    under, on_it, cheap_end = (
        result(copied, seconds=0.1),
        result(copied, ("make", 5 * MB), seconds=60),
        result(copied, ("make", 5 * MB), ("move", 100 * MB), seconds=0.1),
    )
    assert trimmed([under, on_it, cheap_end], OWN).kept == {0, 1}
    assert trimmed([under, cheap_end], OWN).kept == frozenset()  # taken down from the top


def test_what_is_the_images_own_stays_whatever_it_costs() -> None:
    own = result(("image", 500 * MB), seconds=0.1)
    assert trimmed([own], [*OWN, digest("image")], max_size=1).kept == {0}


def test_what_saves_least_per_byte_goes_first() -> None:
    dear, fair, poor = (
        result(("dear", 10 * MB), seconds=100),
        result(("fair", 100 * MB), seconds=100),
        result(("poor", 100 * MB), seconds=50),
    )
    results = [poor, dear, fair]
    assert trimmed(results, OWN, max_size=210 * MB).kept == {0, 1, 2}
    assert trimmed(results, OWN, max_size=209 * MB) == trimmed(results, OWN, max_size=110 * MB)
    assert trimmed(results, OWN, max_size=110 * MB).kept == {1, 2}
    assert trimmed(results, OWN, max_size=109 * MB).kept == {1}
    assert trimmed(results, OWN, max_size=1).kept == frozenset()
    assert trimmed(results, OWN, max_size=1).oversize == 3


def test_a_layer_alone_and_merged_onto_others_goes_as_one() -> None:
    alone = CostedResult(layers=((digest("link"), 100 * MB),), seconds=0.1)
    merged = result(("link", 100 * MB))
    assert trimmed([alone, merged], OWN).kept == frozenset()
    assert trimmed([alone, merged], OWN, max_size=5, keep_cheap=True).kept == frozenset()


@st.composite
def _builds(draw: st.DrawFn) -> list[CostedResult]:
    """Steps that lie on each other at random, inputs before users."""
    made: list[tuple[tuple[str, int], ...]] = [()]
    results = []
    for number in range(draw(st.integers(1, 12))):
        chain = (*draw(st.sampled_from(made)), (f"layer {number}", draw(st.integers(1, 200 * MB))))
        made.append(chain)
        results.append(result(*chain, seconds=draw(st.sampled_from([0.0, 0.01, 0.5, 3.0, 90.0]))))
    return results


@given(_builds(), st.integers(1, 500 * MB))
def test_it_fits_and_a_cache_that_was_trimmed_stays_as_it_is(results: list[CostedResult], max_size: int) -> None:
    found = trimmed(results, OWN, max_size=max_size)
    kept = [results[place] for place in sorted(found.kept)]
    layers = {layer for item in kept for layer in item.layers if layer[0] not in OWN}
    assert sum(size for _, size in layers) <= max_size
    assert len(results) == len(kept) + found.cheap + found.oversize
    assert trimmed(kept, OWN, max_size=max_size).kept == frozenset(range(len(kept)))
