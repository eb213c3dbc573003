"""Options about how far the cache sources may be relied on, turned into the contract's values."""

import math
import re
from typing import Any

import click
from msgspec.structs import replace

from ..contract import BuildRequest
from ..core.dockerfile import parse_duration

_DAYS = re.compile(r"(\d{1,6})d")

OPTIONS = (
    click.option(
        "--cache-import-timeout",
        default=30.0,
        show_default=True,
        help="Seconds that cache sources may keep the build waiting, all of them together.",
    ),
    click.option(
        "--cache-export-timeout",
        default=600.0,
        show_default=True,
        help="Seconds that writing a cache beside the image may take, each.",
    ),
    click.option(
        "--cache-trust",
        multiple=True,
        metavar="PATTERN",
        help="Repositories whose caches may be believed, such as registry.example/team/*, or /** for all below; "
        "repeatable. Without it, all.",
    ),
    click.option(
        "--cache-max-age",
        metavar="DURATION",
        default=None,
        help="Use no cached result that is older, such as 12h or 7d.",
    ),
    click.option(
        "--on-cache-import-error",
        type=click.Choice(["ignore", "fail"]),
        default="ignore",
        show_default=True,
        help="What a cache source that cannot be used does to the build.",
    ),
)


def added(request: BuildRequest, given: dict[str, Any]) -> BuildRequest:
    """The request with what these options say."""
    for name in ("import", "export"):
        if not 0 < given[f"cache_{name}_timeout"] < math.inf:
            raise click.BadParameter("must be more than 0 seconds", param_hint=f"--cache-{name}-timeout")
    trust: tuple[str, ...] = given["cache_trust"]
    if not all(pattern.strip("/ ") for pattern in trust):
        raise click.BadParameter("a pattern is empty", param_hint="--cache-trust")
    return replace(
        request,
        cache_import_timeout_seconds=given["cache_import_timeout"],
        cache_export_timeout_seconds=given["cache_export_timeout"],
        cache_trust=trust or None,
        cache_max_age_seconds=None if given["cache_max_age"] is None else seconds_of(given["cache_max_age"]),
        fail_on_import_error=given["on_cache_import_error"] == "fail",
    )


def seconds_of(text: str, option: str = "--cache-max-age") -> float:
    """A span of time of more than nothing: Go's notation, and whole days as `7d`."""
    days = _DAYS.fullmatch(text)
    try:
        seconds = int(days[1]) * 86400.0 if days else parse_duration(text) / 1e9
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error
    if seconds <= 0:
        raise click.BadParameter(f'"{text}" is no time at all', param_hint=option)
    return seconds
