"""The record of one step: an OCI image manifest under a tag that is made of the step's name.

    layers        all layers of the step's result, lowest first, annotated as in BuildKit's caches: each record is whole
    annotation    the record as JSON; so it cannot exist without its layers, nor its layers be visible without it
    config        OCI's empty one

A record says what its names are made of. One that does not belong under the name it was found by is refused, so a
record can be wrong about a result only if its writer was; and whom to believe is the reader's choice.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..cache import is_time
from ..oci import (
    CREATED_ANNOTATION,
    Descriptor,
    Digest,
    InvalidDigest,
    InvalidManifest,
    Manifest,
    MediaType,
    parse_manifest,
)
from .names import KnownInput, StepIdentity

MEDIA_TYPE = "application/vnd.imagebuild.step.v1"
"""The artifact type of a record."""
ANNOTATION = "dev.imagebuild.step"
EMPTY_CONFIG = b"{}"
VERSION = 1

_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_MAX_BYTES = 1 << 20
_MAX_INPUTS = 1000
_MAX_FORMS = 16
_MAX_TEXT = 500
_MAX_SECONDS = 1e9


class InvalidStep(ValueError):
    """What lies under a step's name is no record of it; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBelow:
    """A step whose result is the lowest `layers` layers of another one's."""

    name: Digest
    layers: int
    content: tuple[tuple[Digest, ...], ...] = ()
    """For each of its inputs, the keys of the content that it read, as far as they were known."""
    seconds: float = 0.0
    """How long it took when it ran; 0 if nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """A step and the layers of its result, lowest first."""

    identity: StepIdentity
    layers: tuple[Descriptor, ...]
    written: str
    """When it was written, RFC 3339 in UTC."""
    follows: Digest | None = None
    """The name after which what follows is named, if it is not the step's own by definition."""
    below: tuple[StepBelow, ...] = ()
    instruction: str = ""
    seconds: float = 0.0
    """How long the step took when it ran; 0 if nobody knows."""

    @property
    def names(self) -> tuple[Digest, ...]:
        """The names that it may be found under."""
        return tuple(name for name in (self.identity.definition, self.identity.by_content) if name is not None)

    @property
    def name(self) -> Digest:
        """After which what follows is named."""
        if self.follows is not None:
            return self.follows
        return self.names[0]


def encode_step(record: StepRecord) -> bytes:
    """The manifest."""
    text = json.dumps(_to_json(record), separators=(",", ":"), sort_keys=True)
    return Manifest(
        config=empty_config(),
        layers=record.layers,
        artifact_type=MEDIA_TYPE,
        annotations={ANNOTATION: text, CREATED_ANNOTATION: record.written},
    ).encode()


def empty_config() -> Descriptor:
    """The config of every record (image spec, "Guidance for an Empty Descriptor")."""
    return Descriptor(media_type=_EMPTY_TYPE, digest=Digest.of(EMPTY_CONFIG), size=len(EMPTY_CONFIG))


def decode_step(data: bytes, name: Digest) -> StepRecord:
    """The record in an untrusted manifest that was found under a name. Raises InvalidStep."""
    try:
        manifest = parse_manifest(data, MediaType.OCI_MANIFEST)
        if not isinstance(manifest, Manifest) or manifest.artifact_type != MEDIA_TYPE:
            raise InvalidStep("it is no record of a step")
        text = manifest.annotations.get(ANNOTATION, "")
        if len(text) > _MAX_BYTES:
            raise InvalidStep(f"its annotation of {len(text)} characters is longer than {_MAX_BYTES}")
        record = _from_json(json.loads(text), manifest.layers)
    except InvalidStep:
        raise
    except (InvalidManifest, InvalidDigest, RecursionError, ValueError, TypeError, KeyError) as error:
        raise InvalidStep(f"it is broken: {error}"[:_MAX_TEXT]) from error
    if name not in record.names:
        raise InvalidStep("it is the record of another step")
    return record


def _to_json(record: StepRecord) -> dict[str, Any]:
    value: dict[str, Any] = {
        "version": VERSION,
        "key": record.identity.key,
        "inputs": [_input_to_json(known) for known in record.identity.inputs],
        "written": record.written,
        "instruction": _one_line(record.instruction),
        "seconds": record.seconds,
        "below": [_below_to_json(step) for step in record.below],
    }
    return value | ({"follows": record.follows} if record.follows is not None else {})


def _below_to_json(step: StepBelow) -> dict[str, Any]:
    value: dict[str, Any] = {"name": step.name, "layers": step.layers, "seconds": step.seconds}
    return value | ({"content": step.content} if any(step.content) else {})


def _input_to_json(known: KnownInput) -> dict[str, Any]:
    members = {"selector": known.selector, "name": known.name, "content": known.content}
    return {name: value for name, value in members.items() if value}


def _from_json(value: Any, layers: tuple[Descriptor, ...]) -> StepRecord:
    item = _object(value)
    if item.get("version") != VERSION:
        raise InvalidStep("it is of another version")
    if not layers or not all(MediaType.is_layer(layer.media_type) for layer in layers):
        raise InvalidStep("its layers are none")
    written = item["written"]
    if not isinstance(written, str) or not is_time(written):
        raise InvalidStep("its time is none")
    follows = item.get("follows")
    record = StepRecord(
        identity=StepIdentity(
            key=Digest.parse(item["key"]),
            inputs=tuple(_input(known) for known in _list(item["inputs"], _MAX_INPUTS)),
        ),
        layers=layers,
        written=written,
        follows=Digest.parse(follows) if follows is not None else None,
        below=tuple(_below(step, len(layers)) for step in _list(item.get("below", []), len(layers) * 4)),
        instruction=_one_line(str(item.get("instruction", ""))),
        seconds=_seconds(item),
    )
    if not record.names:
        raise InvalidStep("its inputs are unknown")
    return record


def _input(value: Any) -> KnownInput:
    item = _object(value)
    selector, name = item.get("selector", ""), item.get("name")
    return KnownInput(
        selector=str(Digest.parse(selector)) if selector else "",
        name=Digest.parse(name) if name is not None else None,
        content=_digests(item.get("content", [])),
    )


def _below(value: Any, layers: int) -> StepBelow:
    item = _object(value)
    count = item["layers"]
    if not isinstance(count, int) or isinstance(count, bool) or not 0 < count <= layers:
        raise InvalidStep("a step below it has layers that it has not")
    content = tuple(_digests(found) for found in _list(item.get("content", []), _MAX_INPUTS))
    return StepBelow(name=Digest.parse(item["name"]), layers=count, content=content, seconds=_seconds(item))


def _seconds(item: Mapping[str, Any]) -> float:
    seconds = item.get("seconds", 0)
    return float(seconds) if isinstance(seconds, int | float) and 0 <= seconds < _MAX_SECONDS else 0.0


def _digests(value: Any) -> tuple[Digest, ...]:
    return tuple(Digest.parse(digest) for digest in _list(value, _MAX_FORMS))


def _list(value: Any, limit: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > limit:
        raise InvalidStep("it has something that is no list, or too long a one")
    return value


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidStep("it has something that is no object")
    return value


def _one_line(text: str) -> str:
    """For people: it ends on terminals, so there is nothing in it that would move a cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:_MAX_TEXT])
