"""Keys of merges (`COPY --link`): how many trees are stacked (ops/merge.go). No input is selected from or read."""

from ...oci import Digest, go_json
from ..ops import MergeOp
from .dialect import Dialect


def merge_text(op: MergeOp, dialect: Dialect = Dialect.V0_22) -> bytes:
    """What is hashed."""
    zeros = dialect >= Dialect.V0_16
    inputs = [{"input": number} if number or zeros else {} for number in range(op.count)]
    return go_json({"Type": "buildkit.merge.v0", "Merge": {"inputs": inputs}})


def merge_digest(op: MergeOp, dialect: Dialect = Dialect.V0_22) -> Digest:
    """The op's digest. Up to v0.12 it is none, but the text itself; nothing is done with it but hashing."""
    text = merge_text(op, dialect)
    return Digest(text.decode()) if dialect >= Dialect.V0_11 else Digest.of(text)
