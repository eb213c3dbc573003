"""What may go wrong between a build and its cache: each mishap by name, at every kind of request, and mixtures.

The table says what the source must be called in the end: by a mishap while its records are read, and by one while its
layers are fetched. LOSS is a source that is asked on; what it lost runs.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.fault_proxy import Kind, Planted, Redirect, Rule, cache_of, deep_index
from tests.support.faults import (
    Cut,
    CutUpload,
    Drip,
    Fault,
    Forged,
    Hang,
    Huge,
    Longer,
    Lost,
    Short,
    Stall,
    Status,
    Typed,
)

LOSS = frozenset({"used", "unused"})
USED = frozenset({"used"})
IN_TIME_OR_NOT = frozenset({"used", "timeout"})
"""Where the rest has a quarter of a short time, on a machine that does much else."""
ANY = frozenset({"used", "unused", "not_found", "unauthorized", "invalid", "timeout", "error"})
PATIENT, HASTY = 25.0, 1.0
"""Seconds of --cache-import-timeout: for mishaps that answer, and for those that do not."""
WRITING = 8.0
"""Seconds of --cache-export-timeout, which ends long waits for another try as well."""

Mishap = Fault | Redirect | Planted


@dataclass(frozen=True)
class Named:
    """A mishap, and what a source is called that has it: at its records, at a HEAD and at a GET of its layers.

    None where it would be no mishap. `slow` is one that lasts until somebody stops waiting.
    """

    fault: Mishap
    reading: frozenset[str] | None
    head: frozenset[str] | None
    layer: frozenset[str] | None
    slow: bool = False


def _answer(status: int, reading: str, use: str | frozenset[str], **headers: str) -> Named:
    found = frozenset({use}) if isinstance(use, str) else use
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    return Named(Status(status, lines, b"{}"), frozenset({reading}), found, found)


def _only(name: str) -> frozenset[str]:
    return frozenset({name})


MISHAPS = {
    "401": _answer(401, "unauthorized", LOSS, WWW_Authenticate='Basic realm="elsewhere"'),
    "403": _answer(403, "unauthorized", LOSS),
    "404": _answer(404, "not_found", LOSS),
    "410": _answer(410, "not_found", LOSS),
    "429 for now": _answer(429, "error", "error", Retry_After="0"),
    "429 for an hour": _answer(429, "error", "error", Retry_After="3600"),
    "500": _answer(500, "error", "error"),
    "501": _answer(501, "error", LOSS),
    "502": _answer(502, "error", "error"),
    "503": _answer(503, "error", "error"),
    "504": _answer(504, "timeout", "timeout"),
    "reset before the answer": Named(Cut(head=False), *[_only("error")] * 3),
    "reset after the head": Named(Cut(after=0), _only("error"), None, _only("error")),
    "reset in the body": Named(Cut(after=100), _only("error"), None, _only("error")),
    "slow drip": Named(Drip(0.1), *[_only("timeout")] * 3, slow=True),
    "never answers": Named(Hang(), *[_only("timeout")] * 3, slow=True),
    "stalls in the body": Named(Stall(100), _only("timeout"), None, _only("timeout"), slow=True),
    "truncated": Named(Short(), _only("invalid"), None, LOSS),
    "wrong digest": Named(Forged(), _only("invalid"), None, LOSS),
    "wrong size": Named(Longer(), _only("invalid"), None, LOSS),
    "wrong media type": Named(Typed(), ANY, USED, USED),
    "huge": Named(Huge(), _only("invalid"), None, LOSS),
    "redirect to another host": Named(Redirect(), USED, USED, USED),
    "redirect loop": Named(Redirect(loop=True), _only("invalid"), LOSS, LOSS),
}
RECORDS_IN_A_LOOP = json.dumps(
    {
        "layers": [{"blob": f"sha256:{'1' * 64}", "parent": -1}],
        "records": [
            {"digest": f"sha256:{'a' * 64}", "inputs": [[{"link": 1}]], "layers": [{"layer": 0}]},
            {"digest": f"sha256:{'b' * 64}", "inputs": [[{"link": 0}]]},
        ],
    }
).encode()
LAYERS_IN_A_LOOP = json.dumps(
    {"layers": [{"blob": f"sha256:{'1' * 64}", "parent": 1}, {"blob": f"sha256:{'2' * 64}", "parent": 0}]}
).encode()
PLANTED = {
    "deep index": deep_index(12),
    "looping records": cache_of(RECORDS_IN_A_LOOP),
    "looping layers": cache_of(LAYERS_IN_A_LOOP),
}
_NEVER_WRITTEN = ("401", "403", "429 for now", "429 for an hour", "500", "501", "502", "503", "504", "never answers")
_WRITING = (Kind.LAYER_HEAD, Kind.UPLOAD_START, Kind.UPLOAD_PATCH, Kind.UPLOAD_PUT, Kind.MANIFEST_PUT)
UPLOAD_MISHAPS: dict[str, Fault] = {
    "the connection ends in the middle": CutUpload(after=500),
    "the answer is lost": Lost(),
    "the session is gone": Status(404, {}, b'{"errors": [{"code": "BLOB_UPLOAD_UNKNOWN"}]}'),
}


@dataclass(frozen=True)
class Case:
    """One build with a cache that has mishaps, and what must be said of the cache."""

    name: str
    rules: tuple[tuple[Kind, Mishap, int | None], ...]
    outcomes: frozenset[str] = ANY
    export: bool = False
    timeout: float = PATIENT
    strict: bool = False
    """With --on-cache-import-error fail (ignore-error=false when it is written)."""
    attached: bool = False
    """Is it the attached cache that is written? The image goes the same way then."""
    written: bool | None = None
    """Must the cache have been written? None: whatever."""

    def fresh_rules(self) -> list[Rule]:
        return [Rule(*rule) for rule in self.rules]


def named_imports() -> Iterator[Case]:
    for name, mishap in MISHAPS.items():
        timeout = HASTY if mishap.slow else PATIENT
        for kind, outcomes in (
            (Kind.MANIFEST, mishap.reading),
            (Kind.CONFIG, mishap.reading if name != "wrong media type" else USED),
            # Without its attached cache, an image still has its own records.
            (Kind.REFERRERS, mishap.reading and (IN_TIME_OR_NOT if mishap.slow else USED)),
            (Kind.ATTACHED, mishap.reading and (IN_TIME_OR_NOT if mishap.slow else USED)),
            (Kind.LAYER_HEAD, mishap.head),
            (Kind.LAYER, mishap.layer),
        ):
            if outcomes is not None:
                yield Case(f"{name}, {kind}", ((kind, mishap.fault, None),), outcomes, timeout=timeout)
    for name, planted in PLANTED.items():
        kinds = (Kind.MANIFEST, Kind.ATTACHED, Kind.CONFIG, Kind.LAYER)
        yield Case(name, tuple((kind, planted, None) for kind in kinds), _only("invalid"))


def strict_imports() -> Iterator[Case]:
    """The same, where a source that cannot be used fails the build: one for every outcome, early and late."""
    for name, kind in (
        ("403", Kind.MANIFEST),
        ("404", Kind.MANIFEST),
        ("503", Kind.MANIFEST),
        ("never answers", Kind.CONFIG),
        ("wrong digest", Kind.CONFIG),
        ("503", Kind.LAYER),
        ("404", Kind.LAYER),
    ):
        mishap = MISHAPS[name]
        outcomes = mishap.layer if kind is Kind.LAYER else mishap.reading
        assert outcomes is not None
        timeout = HASTY if mishap.slow else PATIENT
        yield Case(f"{name}, {kind}, strict", ((kind, mishap.fault, None),), outcomes, timeout=timeout, strict=True)


def named_exports() -> Iterator[Case]:
    for kind in _WRITING:
        faults = {name: mishap.fault for name, mishap in MISHAPS.items()} | UPLOAD_MISHAPS
        for name, fault in faults.items():
            if isinstance(fault, Huge | Typed | Forged | Longer | Short | Redirect):
                continue  # nobody reads what a registry says to an upload
            sure = name in _NEVER_WRITTEN and kind in (Kind.UPLOAD_START, Kind.MANIFEST_PUT)
            slow = name in MISHAPS and MISHAPS[name].slow
            timeout = HASTY if slow else WRITING
            yield Case(
                f"export: {name}, {kind}",
                ((kind, fault, None),),
                export=True,
                timeout=timeout,
                written=False if sure else None,
            )
    for kind in (Kind.REFERRERS, Kind.ATTACHED_PUT, Kind.REFERRERS_PUT):
        for name in _NEVER_WRITTEN:
            mishap = MISHAPS[name]
            rules = ((kind, mishap.fault, None),)
            timeout = HASTY if mishap.slow else WRITING
            yield Case(f"attached: {name}, {kind}", rules, export=True, attached=True, timeout=timeout)
    for name in ("403", "503", "never answers"):
        mishap = MISHAPS[name]
        rules = ((Kind.MANIFEST_PUT, mishap.fault, None),)
        timeout = HASTY if mishap.slow else WRITING
        yield Case(f"export: {name}, strict", rules, export=True, timeout=timeout, strict=True, written=False)


def mixtures(seed: int, count: int) -> Iterator[Case]:
    """Random ones: several mishaps in one build, some of them only at first."""
    chance = random.Random(seed)
    reading = (Kind.MANIFEST, Kind.CONFIG, Kind.REFERRERS, Kind.ATTACHED, Kind.LAYER_HEAD, Kind.LAYER)
    for number in range(count):
        export = chance.random() < 0.35
        kinds = _WRITING if export else reading
        rules = []
        for _ in range(chance.randint(1, 4)):
            name = chance.choice(sorted(MISHAPS))
            kind = chance.choice(kinds)
            rules.append((kind, MISHAPS[name].fault, chance.choice((1, 1, 2, 3, None))))
        yield Case(
            f"mixture {seed}:{number}",
            tuple(rules),
            export=export,
            timeout=chance.choice((HASTY, HASTY, 3.0)),
        )
