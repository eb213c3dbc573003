"""Which files below a source a copy takes: what the source lacks, --parents and --exclude (fsutil, copy.go)."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ...core.dockerfile import IgnoreMatcher, ParentMatch


class Matched(NamedTuple):
    """What the patterns said of a directory: its children's answer depends on it."""

    include: ParentMatch | None = None
    exclude: ParentMatch | None = None


class Verdict(NamedTuple):
    """`descend`: a directory in which something may be included, even where it is not so itself."""

    included: bool
    descend: bool
    matched: Matched


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Patterns are about the path below the source; `exists` is asked with the path in the source's tree.

    A directory that is not included is made all the same as soon as something in it is.
    """

    exists: Callable[[bytes], bool] | None = None
    """False for what .dockerignore keeps out of a context: it is not there."""
    include: IgnoreMatcher | None = None
    exclude: IgnoreMatcher | None = None

    def of(self, below: bytes, path: bytes, above: Matched) -> Verdict:
        """What becomes of a file or directory: `below` its path under the source, `above` what was said of its parent.

        A directory must be given after its parent.
        """
        if self.exists is not None and not self.exists(path):
            return _NOTHING
        if self.include is None and self.exclude is None:
            return _ALL
        text = os.fsdecode(below)
        included, descend = True, True
        include = exclude = None
        if self.include is not None:
            included, include = self.include.match(text, above.include)
            descend = included or any(pattern.may_match_below(text) for pattern in self.include.patterns)
        if self.exclude is not None:
            excluded, exclude = self.exclude.match(text, above.exclude)
            if excluded:
                included = False
                descend = descend and self.exclude.may_reinclude_below(text)
        return Verdict(included, descend, Matched(include, exclude))


_ALL = Verdict(True, True, Matched())
_NOTHING = Verdict(False, False, Matched())
EVERYTHING = Selection()
