"""How an op is keyed, one module per kind of op, in the forms of all versions of BuildKit (see `Dialect`).

The keys are digests of Go's JSON of BuildKit's protobuf messages (solver/pb/ops.proto): members that are zero vanish,
the order is that of the struct's fields. Each module says what is hashed (`…_text`), and for each input what of it
counts: the selector of its definition, and the content that is read (`…_inputs`).
"""

from .dialect import Dialect
from .exec import exec_inputs, exec_selectors, exec_text
from .file import file_inputs, file_text, input_count
from .input import WHOLE, InputKey
from .merge import merge_digest, merge_text
from .source import chain_id, git_text, http_text, image_texts

__all__ = [
    "WHOLE",
    "Dialect",
    "InputKey",
    "chain_id",
    "exec_inputs",
    "exec_selectors",
    "exec_text",
    "file_inputs",
    "file_text",
    "git_text",
    "http_text",
    "image_texts",
    "input_count",
    "merge_digest",
    "merge_text",
]
