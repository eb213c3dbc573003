"""Patterns for paths: Go's path.Match, and lists of patterns as .dockerignore, --exclude and --parents have them.

matcher = IgnoreMatcher.of(["*.md", "!README.md"])
state = None
excluded, state = matcher.match("src/a.c", parent_state)     while walking, with each directory's state
matcher.matches_or_parent_matches("src/a.c")                 for a path alone
"""

from .blanks import SPACE
from .cleanpath import clean_path
from .matcher import IgnoreMatcher, ParentMatch
from .pathmatch import BadPattern, has_wildcards, path_match
from .pattern import IgnorePattern

__all__ = [
    "SPACE",
    "BadPattern",
    "IgnoreMatcher",
    "IgnorePattern",
    "ParentMatch",
    "clean_path",
    "has_wildcards",
    "path_match",
]
