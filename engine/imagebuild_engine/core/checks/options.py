"""`skip=A,B;experimental=all;error=true`: which rules apply, as a file's `# check=` line or a build argument says.

The same text in a comment above an instruction adds to that for the instruction alone. Names of rules are not looked
up: a rule that a later version brings can be skipped today.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..dockerfile import Dockerfile, DockerfileError
from .rules import Rule

BUILD_ARGUMENT: Final = "BUILDKIT_DOCKERFILE_CHECK"
"""It stands in place of the file's own line."""

_COMMENT = re.compile(r"check[\t\n\f\r ]*=[\t\n\f\r ]*(.+?)[\t\n\f\r ]*", re.IGNORECASE)
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_ALL: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Parsed. Skipping does not concern experimental rules, and only those can be asked for."""

    skip: frozenset[str] = frozenset()
    skip_all: bool = False
    experimental: frozenset[str] = frozenset()
    experimental_all: bool = False
    error: bool = False
    """Does any finding fail the build?"""

    @classmethod
    def parse(cls, text: str) -> Options:
        """Raises DockerfileError without place. Three parts at most; a later one replaces an equal earlier one."""
        values: dict[str, str] = {}
        everything: set[str] = set()
        for part in text.strip().split(";", 2) if text.strip() else ():
            name, equals, value = part.partition("=")
            name, value = name.strip(), value.strip()
            if not equals or name not in ("skip", "experimental", "error"):
                raise DockerfileError(
                    f'invalid check option "{_short(part)}"', hint="skip, experimental or error", word=part
                )
            if value == _ALL and name != "error":
                everything.add(name)
            else:
                values[name] = value
        return cls(
            skip=_names(values.get("skip", "")),
            skip_all="skip" in everything,
            experimental=_names(values.get("experimental", "")),
            experimental_all="experimental" in everything,
            error=_switch(values.get("error", "false")),
        )

    @classmethod
    def of(cls, dockerfile: Dockerfile, build_args: Mapping[str, str]) -> Options:
        """What holds for the file. Raises DockerfileError."""
        if BUILD_ARGUMENT in build_args:
            try:
                return cls.parse(build_args[BUILD_ARGUMENT])
            except DockerfileError as error:
                raise DockerfileError(f"build argument {BUILD_ARGUMENT}: {error.message}", hint=error.hint) from None
        lines = dockerfile.source.text.split("\n", 8)  # directives are the file's first lines
        for directive in dockerfile.directives:
            if not lines[directive.location.start - 1].startswith("#"):
                break  # BuildKit looks for this line, unlike for the others, without skipping blanks before it
            if directive.name == "check":
                try:
                    return cls.parse(directive.value.partition(" ")[0])
                except DockerfileError as error:
                    raise error.at(directive.location, dockerfile.source) from None
        return cls()

    @classmethod
    def of_comments(cls, comments: tuple[str, ...]) -> Options:
        """What comments above an instruction say; nothing, where the first that says something is wrong."""
        for comment in comments:
            if (match := _COMMENT.fullmatch(comment)) is not None:
                try:
                    return cls.parse(match[1].partition(" ")[0])
                except DockerfileError:
                    break
        return cls()

    def skips(self, rule: Rule) -> bool:
        return not rule.experimental and (self.skip_all or rule.name in self.skip)

    def asks_for(self, rule: Rule) -> bool:
        return self.experimental_all or rule.name in self.experimental


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(","))


def _switch(text: str) -> bool:
    if text not in (*_TRUE, *_FALSE):
        raise DockerfileError(f'invalid check option "error={_short(text)}"', hint="true or false", word=text)
    return text in _TRUE


def _short(text: str) -> str:
    return text if len(text) <= 64 else text[:64] + "…"
