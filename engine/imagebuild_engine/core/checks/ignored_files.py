"""The rule about files of the context that are none, because .dockerignore excludes them."""

from __future__ import annotations

from ..dockerfile import Add, Copy, IgnoreMatcher, expand, remote_kind
from ..patterns import clean_path
from . import rules
from .findings import Findings, shown
from .scope import Scope

_EVERYTHING = ("*", "**", "**/*")


def check_sources(
    instruction: Copy | Add, scope: Scope, matcher: IgnoreMatcher | None, findings: Findings, *, escape: str
) -> None:
    """With a `!` among the patterns nothing is said: what lies below an excluded directory may be there after all."""
    if matcher is None or matcher.has_exclusions or (isinstance(instruction, Copy) and instruction.from_ is not None):
        return
    for word in instruction.sources:
        source = expand(word, scope.env, escape=escape)
        if remote_kind(source) is None and _is_excluded(clean_path(source), matcher, findings):
            detail = f"{shown(clean_path(source))} is excluded by .dockerignore"
            findings.add(rules.COPY_IGNORED_FILE, instruction.location, detail, instruction.comments)


def _is_excluded(path: str, matcher: IgnoreMatcher, findings: Findings) -> bool:
    """The path or one above it, spelled as in the Dockerfile: an absolute one has `` and `/` above it, in BuildKit too.

    The context itself is there, unless a pattern excludes everything in it.
    """
    if path in (".", "/") and not any(pattern.text in _EVERYTHING for pattern in matcher.patterns):
        return False
    depth = path.count("/") + 1
    if not findings.budget.spend(depth * (len(matcher.patterns) + len(path) // 16)):
        return False
    candidates = [path, *(path[:at] for at, char in enumerate(path) if char == "/")]
    return any(pattern.matches(candidate) for pattern in matcher.patterns for candidate in candidates)
