"""What the steps of a build were made of, as it travels beside a cache. A key alone says only that something differs.

Values are never written, only their digests: a build argument or a variable may hold what is nobody's business.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ..oci import Digest
from .files import MAX_DEPTH, FileEntry, Path, Short, folded

MEDIA_TYPE = "application/vnd.imagebuild.components.v1+json+zstd"
"""Of the small layer that holds them: `encode_components`, compressed with zstd."""

VERSION = 1
MAX_BYTES = 2 << 20
"""Of the JSON, before it is compressed to about half of that."""
_FILES = (6000, 1500, 400, 100, 1)
"""How many entries an input may have before directories are folded: the first number with which all fits."""

Text = Annotated[str, Meta(max_length=4096)]
Pairs = Annotated[tuple[tuple[Text, Short], ...], Meta(max_length=2000)]
"""Names, each with the digest of its name and value."""

InputKind = Literal["step", "image", "context", "file", "commit"]


class InputComponents(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a step rests on or reads: a step, an image, a directory of the caller, a file of the web, a commit."""

    kind: InputKind
    name: Text = ""
    """The stage of a step, the reference of an image, the name of a context, the name of a file."""
    step: Annotated[int, Meta(ge=0)] = 0
    """The number of a step, from 1."""
    digest: Annotated[str, Meta(max_length=200)] = ""
    """Of an image that at top level, of a file that of its bytes, the commit."""
    platform: Annotated[str, Meta(max_length=200)] = ""
    files: Annotated[dict[Path, FileEntry], Meta(max_length=50_000)] | None = None
    """What was read, where the input counts by its content and somebody has looked."""


class StepComponents(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step. `keys` are its record digests, as today's BuildKit makes them."""

    stage: Text
    instruction: Text
    """As it is written, before any expansion, as far as it is shown."""
    keys: Annotated[tuple[Digest, ...], Meta(max_length=16)]
    position: int = 0
    """From 1, in its stage."""
    kind: Annotated[str, Meta(max_length=20)] = ""
    work: Short = ""
    """The digest of what it does: the command of a RUN; of other steps everything, as expanded."""
    settings: Pairs = ()
    """Other things that count: user, directory, network, mounts and more, by the names that people know."""
    arguments: Pairs = ()
    """The build arguments that count for it."""
    environment: Pairs = ()
    """The other variables that count for it, in their order."""
    secrets: Annotated[tuple[Text, ...], Meta(max_length=1000)] = ()
    """The ids of secrets and ssh agents, each behind its kind: `secret:token`, `ssh:default`."""
    platform: Annotated[str, Meta(max_length=200)] = ""
    inputs: Annotated[tuple[InputComponents, ...], Meta(max_length=1000)] = ()
    """What it rests on first."""
    seconds: float = 0.0
    """How long it took when it ran."""


class Components(msgspec.Struct, frozen=True, kw_only=True):
    """All steps of one build, inputs before their users. None are known of another version."""

    version: int = VERSION
    steps: Annotated[tuple[StepComponents, ...], Meta(max_length=5000)] = ()


class _Head(msgspec.Struct):
    version: Annotated[int, Meta(ge=1, le=1 << 30)]


def encode_components(components: Components) -> bytes:
    """JSON, the same for equal components, of at most MAX_BYTES: as many files as there is room for, the rest folded.

    Without room for anything, there are no steps in it.
    """
    for limit in _FILES:
        steps = tuple(_limited(step, limit) for step in components.steps)
        data = _ENCODER.encode(Components(steps=steps))
        if len(data) <= MAX_BYTES:
            return data
    return _ENCODER.encode(Components())


def _limited(step: StepComponents, limit: int) -> StepComponents:
    if not any(item.files and len(item.files) > limit for item in step.inputs):
        return step
    return msgspec.structs.replace(step, inputs=tuple(_folded_inputs(step, limit)))


def _folded_inputs(step: StepComponents, limit: int) -> Iterator[InputComponents]:
    for item in step.inputs:
        files = item.files
        yield item if files is None else msgspec.structs.replace(item, files=dict(folded(files, limit)))


def decode_components(data: bytes) -> Components:
    """What comes from anywhere. Of another version only that is told; raises ValueError for what is no components."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"components of {len(data)} bytes are more than {MAX_BYTES}")
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.version != VERSION:
            return Components(version=head.version)
        components = _DECODER.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise ValueError(f"broken components: {error}"[:300]) from error
    read = (item.files or {} for step in components.steps for item in step.inputs)
    if any(path.count("/") > MAX_DEPTH for files in read for path in files):
        raise ValueError(f"components with a path that is deeper than {MAX_DEPTH}")
    return components


def _from_json(kind: type, value: Any) -> Any:
    if kind is Digest:
        return Digest.parse(value)
    raise NotImplementedError(kind)


_ENCODER = msgspec.json.Encoder(order="deterministic", enc_hook=str)
_DECODER = msgspec.json.Decoder(Components, dec_hook=_from_json)
