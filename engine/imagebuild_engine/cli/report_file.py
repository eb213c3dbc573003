"""The file of `--report` or `--html`: a page about the build, whether it made an image or not."""

import sys
from pathlib import Path
from secrets import token_hex

import click

from ..contract import BuildResult


def checked(value: str | None, *, in_pod: bool, checks: bool) -> Path | None:
    """Where the page is to be written. Raises usage errors for what can be known before a long build."""
    if value is None:
        return None
    if in_pod:
        raise click.UsageError("--report cannot be given with --request: a builder pod has no place to leave a page")
    if checks:
        raise click.UsageError("--report cannot be given with --check: nothing is built")
    return place("--report", value)


def place(option: str, value: str) -> Path:
    """Raises a usage error for what can be no file."""
    try:
        path = Path(value).resolve()
        if not path.parent.is_dir():
            raise click.BadParameter(f'"{path.parent}" is no directory', param_hint=option)
        if path.exists() and not path.is_file():
            raise click.BadParameter(f'"{path}" is no regular file', param_hint=option)
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"cannot be written: {error}", param_hint=option) from error
    return path


def write(path: Path, result: BuildResult) -> None:
    """A page that cannot be written is a warning: the build is what it is, and its exit code says so."""
    try:
        write_page(path, result)
    except OSError as error:
        print(f"warning: the build report cannot be written: {error}", file=sys.stderr)


def write_page(path: Path, result: BuildResult) -> None:
    """The whole page or nothing takes the place of what was there. Raises OSError."""
    from ..page import page

    data = page(result)
    temporary = path.with_name(f".{path.name[:100]}.{token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
