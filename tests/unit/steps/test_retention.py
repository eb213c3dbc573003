"""Which records go."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.steps import Keeping, KeptRecord, prune

from tests.support.step_graphs import digest

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def kept(name: str, hours: float, layers: dict[str, int]) -> KeptRecord:
    return KeptRecord(
        digest=digest(name),
        tags=(f"step-{digest(name).hex}",),
        written=NOW - timedelta(hours=hours),
        layers={digest(layer): size for layer, size in layers.items()},
    )


def gone(records: list[KeptRecord], **keeping: float) -> list[KeptRecord]:
    return list(prune(records, Keeping(**keeping), NOW).gone)  # type: ignore[arg-type]


def test_without_limits_all_stay() -> None:
    found = prune([kept("a", 9999, {"x": 5})], Keeping(), NOW)
    assert (found.gone, found.kept, found.size_before, found.size_after) == ((), 1, 5, 5)


def test_what_is_too_old_goes() -> None:
    old, young = kept("old", 25, {"x": 5, "y": 1}), kept("young", 23, {"x": 5})
    found = prune([young, old], Keeping(older_than=24 * 3600), NOW)
    assert (found.gone, found.kept, found.size_before, found.size_after) == ((old,), 1, 6, 5)


def test_the_oldest_go_until_the_rest_is_small_enough() -> None:
    records = [kept(str(hours), hours, {str(hours): 10}) for hours in (3, 1, 4, 2)]
    found = prune(records, Keeping(max_size=20), NOW)
    assert [item.digest for item in found.gone] == [digest("4"), digest("3")]
    assert (found.size_before, found.size_after) == (40, 20)


def test_a_layer_counts_once_and_is_there_as_long_as_one_record_has_it() -> None:
    base, top = kept("base", 1, {"base": 10}), kept("top", 1, {"base": 10, "top": 10})
    found = prune([base, top], Keeping(max_size=10), NOW)
    assert found.gone == (top,)
    assert (found.size_before, found.size_after) == (20, 10)


def test_a_time_to_come_is_as_young_as_now() -> None:
    future, now = kept("future", -1000, {"a": 5}), kept("now", 0, {"b": 5, "c": 5})
    assert gone([future, now], max_size=5) == [now]
    assert gone([future], older_than=0) == []


@given(
    shape=st.lists(st.tuples(st.integers(0, 100), st.sets(st.integers(0, 9), min_size=1)), max_size=20),
    older_than=st.none() | st.integers(0, 400_000),
    max_size=st.none() | st.integers(0, 60),
)
def test_the_limits_hold_and_nothing_goes_that_may_stay(
    shape: list[tuple[int, set[int]]], older_than: int | None, max_size: int | None
) -> None:
    records = [
        kept(f"{number}", hours, {str(layer): layer for layer in layers})
        for number, (hours, layers) in enumerate(shape)
    ]
    found = prune(records, Keeping(older_than=older_than, max_size=max_size), NOW)
    left = [item for item in records if item not in found.gone]
    layers = {layer: size for item in left for layer, size in item.layers.items()}
    assert found.size_after == sum(layers.values())
    assert max_size is None or found.size_after <= max_size
    for item in left:
        assert older_than is None or (NOW - item.written).total_seconds() <= older_than
    if max_size is None:
        assert all((NOW - item.written).total_seconds() > (older_than or 0) for item in found.gone)
    for item in found.gone:
        assert not any(other.written < item.written for other in left)
