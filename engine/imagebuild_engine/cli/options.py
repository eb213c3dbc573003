"""Option values as buildx writes them, turned into the contract's values."""

import re
import sys
from pathlib import Path

import click

from ..contract import ArchiveSource, DirectorySource, GitSource, InvalidReference, Reference, Source

_GIT_URL = re.compile(r"(?:https?|ssh|git|file)://.+|[\w.-]+@[\w.-]+:.+")


def attributes(option: str, text: str) -> dict[str, str]:
    """`type=registry,ref=…` as a mapping; raises a usage error that names the option."""
    found: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals:
            raise click.BadParameter(f'"{part}" is not of the form key=value', param_hint=option)
        found[key.strip().lower()] = value
    return found


def reference(option: str, text: str) -> Reference:
    """A valid image reference, or a usage error that names the option."""
    try:
        return Reference.parse(text)
    except InvalidReference as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def pairs(option: str, values: tuple[str, ...], environment: dict[str, str] | None = None) -> dict[str, str]:
    """`NAME=VALUE`; with an environment, a bare NAME takes its value from there, as docker has it."""
    found = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not name:
            raise click.BadParameter(f'"{value}" has no name', param_hint=option)
        if not equals:
            if environment is None:
                raise click.BadParameter(f'"{value}" is not of the form NAME=VALUE', param_hint=option)
            if name not in environment:
                continue
            text = environment[name]
        found[name] = text
    return found


def checks(call: str, check: bool) -> str | None:
    """`--call` and `--check`: how findings are to be printed, `text` or `json`; None if a build is what is wanted."""
    method, _, rest = call.partition(",")
    given = attributes("--call", rest) if rest else {}
    output = given.pop("format", "text")
    if method in ("outline", "targets"):
        raise click.BadParameter(f"not supported yet: {method}", param_hint="--call")
    if method not in ("build", "check", "lint") or given or output not in ("text", "json"):
        raise click.BadParameter(f'"{call}" is none of build, check and check,format=json', param_hint="--call")
    return output if check or method != "build" else None


def context(text: str) -> Source:
    """CONTEXT: a directory, a Git URL with `#revision:directory`, or an archive: a file, an http(s) URL or `-`."""
    if text == "-":
        if sys.stdin.isatty():
            raise click.BadParameter("- reads an archive or a Dockerfile from standard input", param_hint="CONTEXT")
        return Source(archive=ArchiveSource(path="/dev/stdin"))
    if _GIT_URL.fullmatch(text) and (".git" in text or text.startswith(("git://", "git@", "ssh://", "file://"))):
        url, _, fragment = text.partition("#")
        revision, _, directory = fragment.partition(":")
        return Source(git=GitSource(url=url, revision=revision or "HEAD"), context_dir=directory or ".")
    if text.startswith(("http://", "https://")):
        return Source(archive=ArchiveSource(url=text))
    path = Path(text).resolve()
    if path.is_file():
        return Source(archive=ArchiveSource(path=str(path)))
    return Source(directory=DirectorySource(path=str(path)))
