"""Records whose results are too old to be used."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ..oci import Digest
from .records import ZERO_TIME, CacheResult, Link, Record


def cutoff(now: datetime, seconds: float) -> str:
    """The moment so many seconds ago, RFC 3339 in UTC; the beginning of time if there was none."""
    try:
        moment = now.astimezone(UTC) - timedelta(seconds=seconds)
    except OverflowError:
        return ZERO_TIME
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".") + "Z"


def without_expired(
    records: Sequence[Record], oldest: str, created: Callable[[int], str]
) -> tuple[tuple[Record, ...], frozenset[Digest]]:
    """The records without results from before the time `oldest`, and the keys of those left out for that.

    `created` gives the time of the layer at a place of the table, or "": it counts where a result has no time. What has
    no time at all is as old as can be. A step that rests on an expired one is left out with it, since its layers are
    among its own; unless it is known by content, too, which a result that is made anew may have again.
    """
    kept = [_without_old(record, oldest, created) for record in records]
    expired = {
        position
        for position, (before, after) in enumerate(zip(records, kept, strict=True))
        if before.result is not None and after.result is None
    }
    if not expired:
        return tuple(kept), frozenset()
    left_out = set(expired)
    users: dict[int, list[int]] = {}
    for position, record in enumerate(kept):
        for parent in {link.parent for links in record.inputs for link in links}:
            users.setdefault(parent, []).append(position)
    pending = list(expired)
    while pending:
        for user in users.get(pending.pop(), ()):
            record = kept[user]
            if user in left_out or all(
                any(link.parent not in left_out for link in links) for links in record.inputs if links
            ):
                continue
            left_out.add(user)
            pending.append(user)
    places = {old: new for new, old in enumerate(position for position in range(len(kept)) if position not in left_out)}
    remaining = tuple(_moved(kept[position], places) for position in places)
    return remaining, frozenset(records[position].digest for position in left_out)


def _without_old(record: Record, oldest: str, created: Callable[[int], str]) -> Record:
    def young(result: CacheResult) -> bool:
        known = result.created_at if result.created_at not in ("", ZERO_TIME) else created(result.top)
        return bool(known) and known.removesuffix("Z") >= oldest.removesuffix("Z")

    results = tuple(result for result in record.results if young(result))
    chains = tuple(chain for chain in record.chains if young(chain))
    if len(results) == len(record.results) and len(chains) == len(record.chains):
        return record
    return replace(record, results=results, chains=chains)


def _moved(record: Record, places: dict[int, int]) -> Record:
    """With its links to where the parents are now; links to records that were left out go."""
    return replace(
        record,
        inputs=tuple(
            tuple(Link(places[link.parent], link.selector) for link in links if link.parent in places)
            for links in record.inputs
        ),
    )
