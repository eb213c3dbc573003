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

from .blanks import SPACE
from .cleanpath import clean_path
from .errors import DockerfileError
from .ignorepattern import IgnorePattern
from .limits import DEFAULT_LIMITS, Limits
from .lines import decode
from .pathmatch import BadPattern
from .source import Location, Source


@dataclass(frozen=True, slots=True)
class ParentMatch:
    """Which patterns matched a directory or one above it: what `match` needs to know about a path's parent."""

    matched: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class IgnoreMatcher:
    """Compiled patterns, in the order of the file. Paths are relative, with slashes, clean."""

    patterns: tuple[IgnorePattern, ...]

    @property
    def has_exclusions(self) -> bool:
        """Whether any pattern begins with `!`."""
        return any(pattern.exclusion for pattern in self.patterns)

    def matches_or_parent_matches(self, path: str) -> bool:
        """Whether the path is excluded, looked at alone: each of its parents is tried too."""
        return self.match(path, None)[0]

    def match(self, path: str, parent: ParentMatch | None) -> tuple[bool, ParentMatch]:
        """Whether the path is excluded, and the state for its children. `parent` None: a top-level path, or unknown.

        A pattern that could change nothing (an ordinary one after a match, a `!` before any) is not asked and counts
        as not matching, for the children too. So moby does, and it shows: `!a` then `*` is not `*` then `!a`.
        """
        if parent is not None and len(parent.matched) != len(self.patterns):
            raise ValueError("state of another matcher")
        candidates = [path]
        if parent is None:
            candidates += [path[:at] for at, char in enumerate(path) if char == "/" and at > 0]
        excluded = False
        results: list[bool] = []
        for number, pattern in enumerate(self.patterns):
            result = parent is not None and parent.matched[number]
            if not result and pattern.exclusion == excluded:
                result = any(map(pattern.matches, candidates))
            if result:
                excluded = not pattern.exclusion
            results.append(result)
        return excluded, ParentMatch(tuple(results))

    def may_reinclude_below(self, directory: str) -> bool:
        """Whether a `!` pattern might match something inside an excluded directory; if not, a walk may skip it."""
        return any(pattern.exclusion and pattern.may_match_below(directory) for pattern in self.patterns)


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
                compiled.append(_compile(pattern))
            except BadPattern as error:
                raise DockerfileError(str(error), Location(number, number), source) from None
        return cls(tuple(cleaned), IgnoreMatcher(tuple(compiled)))

    @classmethod
    def of(cls, patterns: Iterable[str]) -> IgnorePatterns:
        """Patterns from elsewhere than a file; DockerfileError without line."""
        given = tuple(patterns)
        try:
            compiled = [_compile(pattern) for pattern in given if pattern.strip(SPACE)]
        except BadPattern as error:
            raise DockerfileError(str(error), None, Source("ignore patterns", "\n".join(given))) from None
        return cls(given, IgnoreMatcher(tuple(compiled)))


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


def _compile(pattern: str) -> IgnorePattern:
    text = clean_path(pattern.strip(SPACE))
    exclusion = text.startswith("!")
    if exclusion:
        text = text[1:]
        if not text:
            raise BadPattern("!")
    return IgnorePattern.compile(text, exclusion=exclusion)
