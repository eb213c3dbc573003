"""Which records go."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.steps import Keeping, KeptRecord, Pruning, prune

from tests.support.step_graphs import digest

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SIZES = {digest(str(size)): size for size in range(100)}


def kept(name: str, hours: float, *layers: int) -> KeptRecord:
    """A record; the layers are called by their sizes."""
    return KeptRecord(
        digest=digest(name),
        tags=(f"step-{digest(name).hex}",),
        written=NOW - timedelta(hours=hours),
        layers=tuple(digest(str(layer)) for layer in layers),
    )


def pruned(*records: KeptRecord, older_than: float | None = None, max_size: int | None = None) -> Pruning:
    return prune(records, SIZES, Keeping(older_than=older_than, max_size=max_size), NOW)


def test_without_limits_all_stay() -> None:
    found = pruned(kept("a", 9999, 5))
    assert (found.gone, found.kept, found.size_before, found.size_after) == ((), 1, 5, 5)


def test_what_is_too_old_goes() -> None:
    old, young = kept("old", 25, 5, 1), kept("young", 23, 5)
    found = pruned(young, old, older_than=24 * 3600)
    assert (found.gone, found.kept, found.size_before, found.size_after) == ((old,), 1, 6, 5)


def test_the_oldest_go_until_the_rest_is_small_enough() -> None:
    four, three, two, one = (kept(str(hours), hours, 10 + hours) for hours in (4, 3, 2, 1))
    found = pruned(three, one, four, two, max_size=25)
    assert found.gone == (four, three)
    assert (found.size_before, found.size_after) == (50, 23)


def test_a_layer_counts_once_and_is_there_as_long_as_one_record_has_it() -> None:
    base, top = kept("base", 1, 10), kept("top", 1, 10, 20, 20)
    found = pruned(base, top, max_size=10)
    assert found.gone == (top,)
    assert (found.size_before, found.size_after) == (30, 10)


def test_a_time_to_come_is_as_young_as_now() -> None:
    future, now = kept("future", -1000, 5), kept("now", 0, 6, 7)
    assert pruned(future, now, max_size=5).gone == (now,)
    assert pruned(future, older_than=0).gone == ()


@given(
    shape=st.lists(st.tuples(st.integers(0, 100), st.sets(st.integers(0, 9), min_size=1)), max_size=20),
    older_than=st.none() | st.integers(0, 400_000),
    max_size=st.none() | st.integers(0, 60),
)
def test_the_limits_hold_and_nothing_goes_that_may_stay(
    shape: list[tuple[int, set[int]]], older_than: int | None, max_size: int | None
) -> None:
    records = [kept(f"record {number}", hours, *layers) for number, (hours, layers) in enumerate(shape)]
    found = pruned(*records, older_than=older_than, max_size=max_size)
    left = [item for item in records if item not in found.gone]
    assert found.kept == len(left)
    assert found.size_after == sum(SIZES[layer] for layer in {layer for item in left for layer in item.layers})
    assert max_size is None or found.size_after <= max_size
    for item in left:
        assert older_than is None or (NOW - item.written).total_seconds() <= older_than
    if max_size is None:
        assert older_than is not None or not found.gone
        assert all((NOW - item.written).total_seconds() > (older_than or 0) for item in found.gone)
    for item in found.gone:
        assert not any(other.written < item.written for other in left)
