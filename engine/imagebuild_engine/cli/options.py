"""Option values as buildx writes them, turned into the contract's values."""

import sys
from pathlib import Path

import click

from ..contract import ArchiveSource, DirectorySource, GitSource, InvalidReference, Reference, Source
from ..core.dockerfile import DockerfileError, parse_git_reference


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
    path = Path(text).resolve()
    if path.is_dir():
        return Source(directory=DirectorySource(path=str(path)))
    if (repository := _repository(text)) is not None:
        return repository
    if text.startswith(("http://", "https://")):
        return Source(archive=ArchiveSource(url=text))
    if path.is_file():
        return Source(archive=ArchiveSource(path=str(path)))
    return Source(directory=DirectorySource(path=str(path)))


def _repository(text: str) -> Source | None:
    """A Git repository as BuildKit understands one, or a file: URL of one; None for anything else."""
    if text.startswith("file://"):
        url, _, fragment = text.partition("#")
        revision, _, directory = fragment.partition(":")
        return Source(git=GitSource(url=url, revision=revision or "HEAD"), context_dir=directory or ".")
    try:
        found = parse_git_reference(text)
    except DockerfileError as error:
        raise click.BadParameter(str(error), param_hint="CONTEXT") from error
    if found is None:
        return None
    asked = {
        "checksum": bool(found.checksum),
        "keep-git-dir": bool(found.keep_git_dir),
        "submodules": bool(found.submodules),
        "mtime": found.mtime == "checkout",
        "fetch-by-commit": found.fetch_by_commit,
    }
    if refused := [name for name, given in asked.items() if given]:
        raise click.BadParameter(f"not supported yet: {', '.join(refused)} of a Git context", param_hint="CONTEXT")
    url = f"https://{found.remote}" if found.like_a_path else found.remote
    return Source(git=GitSource(url=url, revision=found.ref or "HEAD"), context_dir=found.subdir or ".")
