""".dockerignore: which paths of a build context do not exist for the build.

    patterns = IgnorePatterns.parse(text)
    state = None
    excluded, state = patterns.matcher.match("src/a.c", parent_state)      while walking, with each directory's state
    patterns.matcher.matches_or_parent_matches("src/a.c")                  for a path alone

The last pattern that matches a path or a directory above it decides; `!pattern` takes out again. A walk may skip an
excluded directory for which `may_reinclude_below` is false.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..patterns import SPACE, BadPattern, IgnoreMatcher, IgnorePattern, clean_path
from .errors import DockerfileError
from .limits import DEFAULT_LIMITS, Limits
from .lines import decode
from .source import Location, Source


@dataclass(frozen=True, slots=True)
class IgnorePatterns:
    """The patterns of a file as BuildKit's client sends them: cleaned, comments and empty lines gone, `!` in front."""

    patterns: tuple[str, ...]
    matcher: IgnoreMatcher = field(repr=False, compare=False)

    @classmethod
    def parse(
        cls, text: str | bytes, *, name: str = ".dockerignore", limits: Limits = DEFAULT_LIMITS
    ) -> IgnorePatterns:
        """Reads an ignore file; DockerfileError with its line for a pattern that is none."""
        source = decode(text.encode(errors="replace") if isinstance(text, str) else text, name, limits)
        cleaned: list[str] = []
        compiled: list[IgnorePattern] = []
        for number, line in enumerate(source.text.split("\n"), 1):
            if number > limits.lines:
                raise DockerfileError(f"more than {limits.lines} lines", Location(number, number), source)
            pattern = _clean(line)
            if pattern is None:
                continue
            cleaned.append(pattern)
            try:
                compiled.append(IgnorePattern.read(pattern))
            except BadPattern as error:
                raise DockerfileError(str(error), Location(number, number), source) from None
        return cls(tuple(cleaned), IgnoreMatcher(tuple(compiled)))

    @classmethod
    def of(cls, patterns: Iterable[str]) -> IgnorePatterns:
        """Patterns from elsewhere than a file; DockerfileError without line."""
        given = tuple(patterns)
        try:
            matcher = IgnoreMatcher.of(given)
        except BadPattern as error:
            raise DockerfileError(str(error), None, Source("ignore patterns", "\n".join(given))) from None
        return cls(given, matcher)


def _clean(line: str) -> str | None:
    """A line of the file → a pattern: `  ! /src//x/ ` → `!src/x`."""
    if line.startswith("#"):
        return None
    pattern = line.strip(SPACE)
    if not pattern:
        return None
    exclusion = pattern.startswith("!")
    if exclusion:
        pattern = pattern[1:].strip(SPACE)
    if pattern:
        pattern = clean_path(pattern)
        if len(pattern) > 1:
            pattern = pattern.removeprefix("/")
    return "!" + pattern if exclusion else pattern
