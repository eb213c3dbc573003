"""Hostile text made harmless to look at: what cannot be seen, or moves what can be seen, becomes visible.

A Dockerfile, a path or a log can hold anything. An escape sequence would be noise, a bidirectional control would let
a line read as another one ("Trojan Source", CVE-2021-42574), a lone surrogate cannot be encoded at all.
"""

import re

_TERMINAL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, movements (ECMA-48, 5.4)
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC: titles, links
    r"|\x1b[ -/]*[0-Z\\^-~]"
)
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\ud800-\uf8ff\ufdd0-\ufdef\ufffe\uffff"
    "\U0001fffe\U0001ffff\U000e0000-\U0010ffff]"
)
_MARK = "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u064b-\u065f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_MARKS_ENOUGH = re.compile(f"({_MARK}{{3}}){_MARK}+")
"""More marks on one letter than any script needs would paint over the lines around it."""


def visible(text: str) -> str:
    """The text, with controls as their pictures (`␛`), and other characters that are not seen by number (`‹U+202E›`).

    Newlines and tabs stay. What it gives can be encoded as UTF-8.
    """
    return _MARKS_ENOUGH.sub(r"\1…", _UNSEEN.sub(_shown, text))


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8 (PEP 383)
        return f"‹0x{code - 0xDC00:02X}›"
    return f"‹U+{code:04X}›"


def log_text(text: str) -> str:
    """What a program printed, without what was meant for a terminal; a progress bar's states are lines."""
    return _TERMINAL.sub("", text).replace("\r\n", "\n").replace("\r", "\n").strip("\n")


def cut(text: str, limit: int) -> str:
    """At most about so many characters, and how many are missing."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit:,} more characters)"


def cut_to_end(text: str, limit: int) -> str:
    """The same from the end: what a log says last matters most."""
    return text if len(text) <= limit else f"({len(text) - limit:,} characters before this) …{text[-limit:]}"
