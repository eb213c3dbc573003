"""An op's CacheMap: its keys and what of its inputs counts, in the form of today and in those of older versions.

What is hashed is said in `keys`, module by module. Here it is put together: the forms that a step has are listed in
`_spellings`, in one place and one order for all ops.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..cache import Spelling
from ..oci import Digest
from .keys import (
    WHOLE,
    Dialect,
    InputKey,
    exec_inputs,
    exec_selectors,
    exec_text,
    file_inputs,
    file_text,
    git_text,
    http_text,
    image_texts,
    merge_digest,
    merge_text,
)
from .ops import ExecOp, FileOp, GitSource, HttpSource, ImageSource, LocalSource, MergeOp, Op

Step = ExecOp | FileOp | MergeOp
"""Ops that have inputs. (Of sources all versions have the same keys.)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheMap:
    """`digests` are op digests: two for an image, none for local files, which only content describes."""

    digests: tuple[Digest, ...]
    inputs: tuple[InputKey, ...]
    older: tuple[Spelling, ...] = ()
    """The other spellings: at 0 that by the normal form of a RUN's text, at each dialect's number that of the dialect.
    Empty where all of them are the same as the current one."""

    @property
    def spellings(self) -> tuple[Spelling, ...]:
        """The current one, then the others."""
        return (Spelling(digests=self.digests, selectors=tuple(key.selector or "" for key in self.inputs)), *self.older)


def cache_map(op: Op) -> CacheMap:
    """How the op is keyed."""
    match op:
        case ImageSource():
            return _source_map(*image_texts(op))
        case LocalSource():
            return _source_map()
        case HttpSource():
            return _source_map(http_text(op))
        case GitSource():
            return _source_map(git_text(op))
        case ExecOp() | FileOp() | MergeOp():
            current, *older = _spellings(op)
            differs = any(spelling != current for spelling in older)
            return CacheMap(digests=current.digests, inputs=_inputs(op), older=tuple(older) if differs else ())


def _source_map(*texts: bytes) -> CacheMap:
    return CacheMap(digests=tuple(map(Digest.of, texts)), inputs=())


def _spellings(op: Step) -> Iterator[Spelling]:
    """Every form under which the step's records are written and looked for.

    The first is the current one, the second that of a RUN by the normal form of its text, the last that of the oldest
    version. All steps have them in the same order: a record of one spelling is linked to the records of the same
    spelling of its inputs.
    """
    current, *older = Dialect
    yield _spelling(op, current)
    yield _spelling(_normal(op), current)
    oldest = _oldest(op)
    for dialect in older:
        yield _spelling(op, min(dialect, oldest))


def _normal(op: Step) -> Step:
    """The RUN with the normal form of its text, if it has one."""
    return op if not isinstance(op, ExecOp) or op.normal_args is None else replace(op, args=op.normal_args)


def _oldest(op: Step) -> Dialect:
    """The oldest dialect that can say the step; older ones repeat it, so that nothing more is written."""
    match op:
        case ExecOp(secret_env=names) if names:
            return Dialect.V0_16
        case MergeOp():
            return Dialect.V0_9
    return Dialect.V0_8


def _spelling(op: Step, dialect: Dialect) -> Spelling:
    match op:
        case ExecOp():
            return Spelling(digests=(Digest.of(exec_text(op, dialect)),), selectors=exec_selectors(op, dialect))
        case FileOp():
            # What is selected is the same in all versions.
            selectors = tuple(key.selector or "" for key in file_inputs(op))
            return Spelling(digests=(Digest.of(file_text(op, dialect)),), selectors=selectors)
        case MergeOp():
            return Spelling(digests=(merge_digest(op, dialect),), selectors=("",) * op.count)


def _inputs(op: Step) -> tuple[InputKey, ...]:
    match op:
        case ExecOp():
            return exec_inputs(op)
        case FileOp():
            return file_inputs(op)
        case MergeOp():
            return (WHOLE,) * op.count


def op_text(op: Step, dialect: Dialect = Dialect.V0_22) -> bytes:
    """The text whose digest is the op's."""
    match op:
        case ExecOp():
            return exec_text(op, dialect)
        case FileOp():
            return file_text(op, dialect)
        case MergeOp():
            return merge_text(op, dialect)
