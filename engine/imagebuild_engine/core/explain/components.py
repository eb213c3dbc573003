"""The components of each step's key, as they travel beside a cache. A key alone says only that something differs.

Values are never written, only their digests: a build argument or a variable may hold what is nobody's business.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from ..oci import Digest

MEDIA_TYPE = "application/vnd.imagebuild.components.v1+json+zstd"
"""Of the small layer that holds them: `encode_components`, compressed with zstd."""

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StepComponents:
    """One step. `keys` are its record digests, as today's BuildKit makes them."""

    stage: str
    instruction: str
    keys: tuple[Digest, ...]
    seconds: float = 0.0
    """How long it took when it ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """All steps of one build, inputs before their users."""

    steps: tuple[StepComponents, ...] = ()


def encode_components(components: Components) -> bytes:
    """JSON, the same for equal components."""
    value = {"version": VERSION, "steps": [asdict(step) for step in components.steps]}
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def decode_components(data: bytes) -> Components:
    """Raises ValueError for what is none, or of another version."""
    value: Any = json.loads(data)
    if not isinstance(value, dict) or value.get("version") != VERSION:
        raise ValueError("components of another version")
    try:
        steps = tuple(_step(item) for item in value["steps"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"broken components: {error}") from error
    return Components(steps=steps)


def _step(item: dict[str, Any]) -> StepComponents:
    keys = tuple(Digest.parse(key) for key in item["keys"])
    return StepComponents(
        stage=str(item["stage"]), instruction=str(item["instruction"]), keys=keys, seconds=float(item["seconds"])
    )
