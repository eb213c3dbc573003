"""Components on their way: the same for equal steps, bounded, and nothing believed that comes from anywhere."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.explain import (
    Components,
    FileEntry,
    InputComponents,
    StepComponents,
    aligned,
    decode_components,
    encode_components,
)
from imagebuild_engine.core.explain.components import MAX_BYTES
from imagebuild_engine.core.oci import Digest

KEY = Digest.of(b"key")


def _deep(depth: int) -> dict[str, Any]:
    return {"kind": "context", "files": {"/d" * depth: ["file", "1"]}}


def step(count: int = 1, **more: Any) -> StepComponents:
    files = {f"/src/{number % 7}/{number}.c": FileEntry("file", f"{number:016x}", 0o644) for number in range(count)}
    read = InputComponents(kind="context", name="context", files=files)
    return StepComponents(stage="s", instruction="COPY . .", keys=(KEY,), inputs=(read,), **more)


def test_what_is_written_is_read_again() -> None:
    components = Components(steps=(step(arguments=(("A", "1"),), seconds=1.5), step(3)))
    assert decode_components(encode_components(components)) == components


def test_many_files_are_folded_until_all_fits() -> None:
    one = encode_components(Components(steps=(step(3000),)))
    assert len(decode_components(one).steps[0].inputs[0].files or ()) == 3000
    many = encode_components(Components(steps=(step(3000),) * 40))
    assert len(many) <= MAX_BYTES
    folded = decode_components(many).steps[0].inputs[0].files or {}
    assert {entry.kind for entry in folded.values()} == {"folded"}
    assert encode_components(decode_components(many)) == many


def test_without_room_for_anything_there_are_no_steps() -> None:
    assert decode_components(encode_components(Components(steps=(step(secrets=("x" * 4000,) * 900),)))).steps == ()


def test_of_another_version_only_that_is_known() -> None:
    assert decode_components(b'{"version":7,"steps":"other"}') == Components(version=7)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"version": "1"},
        {"steps": {}},
        {"steps": [{}]},
        {"steps": [{"stage": "s", "instruction": "x" * 5000, "keys": []}]},
        {"steps": [{"stage": "s", "instruction": "x", "keys": ["no digest"]}]},
        {"steps": [{"stage": "s", "instruction": "x", "keys": [], "inputs": [{"kind": "moon"}]}]},
        {"steps": [{"stage": "s", "instruction": "x", "keys": [], "inputs": [{"kind": "step", "step": -1}]}]},
        {"steps": [{"stage": "s", "instruction": "x", "keys": [], "inputs": [{"kind": "step", "files": {"/a": [1]}}]}]},
        {"steps": [{"stage": "s", "instruction": "x", "keys": [], "seconds": "long"}]},
        {"steps": [{"stage": "s", "instruction": "x", "keys": [], "inputs": [_deep(201)]}]},
    ],
)
def test_what_is_broken_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"components|digest"):
        decode_components(json.dumps({"version": 1, "steps": []} | change).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"[" * 100_000, b'{"version":1}' + b" " * MAX_BYTES, b"\xff"])
def test_what_is_no_components_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="components"):
        decode_components(data)


@given(
    st.binary(max_size=300)
    | st.recursive(st.none() | st.text(), st.lists).map(lambda value: json.dumps(value).encode())
)
def test_any_bytes_are_components_or_refused(data: bytes) -> None:
    with suppress(ValueError):
        decode_components(data)


def test_a_cache_that_claims_very_much_is_compared_in_bounded_steps() -> None:
    """Lengths are bounded, not times: what is compared is the product of both."""
    ours = [StepComponents(stage="s", instruction=f"RUN {number % 3}", keys=()) for number in range(30)]
    claimed = [StepComponents(stage="s", instruction=f"RUN {number % 2}", keys=()) for number in range(5000)]
    found = aligned(claimed, ours)
    assert found
    assert max(found.values()) <= 4 * 30 + 50
