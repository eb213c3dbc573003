"""Go's `encoding/json` text of a value, byte for byte.

Cache keys are digests of such texts (`buildkit.exec.v0` and its siblings), and image configs are written in the same
form, so an equal value must give equal bytes here and in BuildKit. Python's own encoder agrees on everything but the
characters that Go escapes for the sake of HTML and JavaScript.
"""

import json
import re

# Go escapes these inside strings; no other JSON token can contain them, so the finished text may be rewritten.
_GO_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_NEEDS_ESCAPE = re.compile("[<>&\u2028\u2029]")


def go_json(value: object) -> bytes:
    """Compact JSON of dicts (in their own order), lists, strings, integers, booleans and None, as Go marshals it.

    Strings must be valid UTF-8 (lone surrogates raise UnicodeEncodeError, as Go would refuse them in a protobuf
    string).
    Floats are refused: Go and Python print them differently, and no key contains one.
    """
    _refuse_floats(value)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _NEEDS_ESCAPE.sub(lambda match: _GO_ESCAPES[match[0]], text).encode()


def _refuse_floats(value: object) -> None:
    pending = [value]
    while pending:
        match pending.pop():
            case float() as number:
                raise TypeError(f"a float has no canonical text: {number!r}")
            case dict() as mapping:
                pending.extend(mapping.values())
            case list() | tuple() as sequence:
                pending.extend(sequence)
