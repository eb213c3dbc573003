"""Records as manifests; nothing hostile becomes one."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.oci import Digest
from imagebuild_engine.core.steps import (
    InvalidStep,
    KnownInput,
    StepBelow,
    StepIdentity,
    StepRecord,
    decode_step,
    encode_step,
)

from tests.support.step_graphs import digest, layer, record

READS = KnownInput(name=digest("build"), selector=digest("selector"), content=(digest("now"), digest("older")))
FULL = replace(
    record("copy", KnownInput(name=digest("base")), READS),
    follows=digest("first"),
    below=(StepBelow(name=digest("below"), layers=1, content=((), (digest("c"),))),),
)


def names(made: StepRecord) -> tuple[Digest, ...]:
    assert made.identity.definition is not None
    return made.names


def test_a_record_comes_back_under_each_of_its_names() -> None:
    assert len(set(names(FULL))) == 2
    for name in names(FULL):
        assert decode_step(encode_step(FULL), name) == FULL


def test_no_instruction_moves_a_cursor() -> None:
    made = replace(record(), instruction="RUN \x1b[2J <<E\nx\nE" + "x" * 9999)
    assert decode_step(encode_step(made), made.names[0]).instruction.startswith("RUN  [2J <<E x Ex")


def test_equal_records_are_equal_bytes() -> None:
    assert encode_step(record()) == encode_step(record())


def test_what_follows_is_called_after_the_definition_or_as_the_record_says() -> None:
    assert record().name == record().identity.definition
    assert FULL.name == digest("first")


def test_the_manifest_is_an_artifact_with_layers_and_an_empty_config() -> None:
    manifest = json.loads(encode_step(record()))
    assert manifest["artifactType"] == "application/vnd.imagebuild.step.v1"
    assert manifest["config"]["size"] == 2
    assert [item["digest"] for item in manifest["layers"]] == [layer("base").digest, layer("top").digest]


def damaged(change: Callable[[dict[str, Any]], object], *, manifest: bool = False) -> bytes:
    """The full record's manifest after a change to it or to the record in it."""
    value = json.loads(encode_step(FULL))
    inner = json.loads(value["annotations"]["dev.imagebuild.step"])
    change(value if manifest else inner)
    if not manifest:
        value["annotations"]["dev.imagebuild.step"] = json.dumps(inner)
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda item: item.update(version=2),
        lambda item: item.update(key="sha256:x"),
        lambda item: item.update(key=digest("another")),
        lambda item: item.pop("key"),
        lambda item: item.pop("inputs"),
        lambda item: item.update(inputs={}),
        lambda item: item.update(inputs=[]),
        lambda item: item.update(inputs=[{}]),
        lambda item: item.update(inputs=[{"name": 5}]),
        lambda item: item.update(inputs=[None] * 2),
        lambda item: item["inputs"][1].update(name=digest("another")),
        lambda item: item["inputs"][1].update(content=["x"]),
        lambda item: item["inputs"][1].update(content=[digest("x")] * 1000),
        lambda item: item.update(inputs=item["inputs"] * 10_000),
        lambda item: item.update(written="yesterday"),
        lambda item: item.update(written=5),
        lambda item: item.update(follows="somebody"),
        lambda item: item.update(below=[{"name": digest("x"), "layers": 3}]),
        lambda item: item.update(below=[{"name": digest("x"), "layers": 0}]),
        lambda item: item.update(below=[{"name": digest("x"), "layers": True}]),
        lambda item: item.update(below=[{"name": digest("x"), "layers": 1}] * 1000),
        lambda item: item.update(below="all"),
    ],
)
def test_a_broken_record_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(InvalidStep):
        decode_step(damaged(change), FULL.names[0])


@pytest.mark.parametrize(
    "change",
    [
        lambda item: item.update(artifactType="application/vnd.imagebuild.cache.v1"),
        lambda item: item.update(annotations={}),
        lambda item: item.update(annotations={"dev.imagebuild.step": "[" * 100_000}),
        lambda item: item.update(annotations={"dev.imagebuild.step": " " * (2 << 20)}),
        lambda item: item.update(annotations={"dev.imagebuild.step": "[]"}),
        lambda item: item.update(layers=[]),
        lambda item: item.update(layers=item["layers"] * 5000),
        lambda item: item["layers"][0].update(mediaType="application/json"),
        lambda item: item["layers"][0].update(digest="sha256:x"),
        lambda item: item["layers"][0].update(size=-1),
        lambda item: item.update(schemaVersion=1),
        lambda item: item.update(mediaType="application/vnd.oci.image.index.v1+json", manifests=[]),
    ],
)
def test_a_manifest_that_is_no_record_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(InvalidStep):
        decode_step(damaged(change, manifest=True), FULL.names[0])


@given(data=st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    with pytest.raises(InvalidStep):
        decode_step(data, digest("x"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(digest("x")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "layers", "content"]), inner),
    max_leaves=8,
)


@given(
    name=st.sampled_from(["version", "key", "inputs", "written", "follows", "below", "instruction", "seconds"]),
    value=JSON,
)
def test_no_member_does_more_than_be_refused(name: str, value: Any) -> None:
    try:
        found = decode_step(damaged(lambda item: item.update({name: value})), FULL.names[0])
    except InvalidStep:
        return
    assert FULL.names[0] in found.names
    assert found.seconds >= 0


def test_a_record_does_not_belong_under_the_name_of_another_step() -> None:
    with pytest.raises(InvalidStep, match="another step"):
        decode_step(encode_step(record("one")), record("two").names[0])


def test_content_alone_can_be_all_that_is_known_of_an_input() -> None:
    made = StepIdentity(key=digest("k"), inputs=(KnownInput(content=(digest("c"),)),))
    assert made.definition == made.by_content
    assert StepIdentity(key=digest("k"), inputs=(KnownInput(),)).definition is None
