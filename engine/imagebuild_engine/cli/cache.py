"""`imagebuild cache`: what a cache says, and what differs between two."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from ..contract import Reference
from . import cache_options, cache_use, steps

if TYPE_CHECKING:
    from ..build.inspect import Inspected

SHAPES = "REF, type=registry,ref=REF or type=local,src=DIRECTORY[,tag=…]"


class Trouble(click.ClickException):
    exit_code = 2  # as diff has it: 1 is a difference


@click.group()
def cache() -> None:
    """Look into caches, and keep step caches small."""


def _output(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True),
        click.option(
            "--insecure-registry",
            "insecure",
            multiple=True,
            metavar="HOST",
            help="Speak plain HTTP with that registry; repeatable.",
        ),
    ):
        command = option(command)
    return command


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """What all commands that look into caches take."""
    platform = click.option("--platform", default="", help="Which image of several (default: this machine's).")
    return _output(platform(command))


@cache.command(help=f"The steps that CACHE knows, stage by stage. CACHE is {SHAPES}.")
@click.argument("source", metavar="CACHE")
@common
def inspect(source: str, form: str, platform: str, insecure: tuple[str, ...]) -> None:
    from ..build.inspect import inspected_json
    from .cache_text import tree

    (found,) = read([source], platform, insecure)
    show(inspected_json(found) if form == "json" else tree(found))


@cache.command(help=f"Which steps both caches have, which only one. Exit code 1 if they differ. A and B are {SHAPES}.")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@common
def diff(first: str, second: str, form: str, platform: str, insecure: tuple[str, ...]) -> None:
    from ..build.inspect import compare_caches, comparison_json
    from .cache_text import difference

    one, other = read([first, second], platform, insecure)
    comparison = compare_caches(one, other)
    facts = comparison_json(one, other, comparison)
    show(facts if form == "json" else difference(one, other, comparison))
    raise click.exceptions.Exit(0 if facts["equal"] else 1)


@cache.command(short_help="Delete old steps of a step cache.")
@click.argument("repository", metavar="REPOSITORY")
@click.option("--older-than", metavar="DURATION", help="Delete what was written longer ago, such as 12h or 30d.")
@click.option("--max-size", metavar="SIZE", help="Delete the oldest until all layers together are no larger (10g).")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@_output
def prune(
    repository: str, older_than: str | None, max_size: str | None, dry_run: bool, form: str, insecure: tuple[str, ...]
) -> None:
    """Delete steps of the step cache in REPOSITORY: what is older than --older-than, then the oldest until --max-size
    is met. The registry's own garbage collection then frees the space.
    """
    from ..build.step_prune import PruneFailed, prune_steps
    from ..core.steps import Keeping
    from .cache_text import pruned

    if older_than is None and max_size is None:
        raise click.UsageError("give --older-than, --max-size or both: without them nothing would be deleted")
    source = cache_options.source("REPOSITORY", f"type=steps,ref={repository}")
    keeping = Keeping(
        older_than=None if older_than is None else cache_use.seconds_of(older_than, "--older-than"),
        max_size=None if max_size is None else steps.size("--max-size", max_size),
    )
    now = datetime.now(UTC)
    try:
        done = asyncio.run(
            prune_steps(Reference.parse(source.ref), keeping, dry_run=dry_run, insecure=insecure, now=now)
        )
    except PruneFailed as error:
        print(f"Error: {error}", file=sys.stderr)
        raise click.exceptions.Exit(error.exit_code) from error
    show(done.to_json() if form == "json" else pruned(done))


def read(texts: list[str], platform: str, insecure: tuple[str, ...]) -> "list[Inspected]":
    """The caches of that. Raises Trouble."""
    from ..build.inspect import CacheUnreadable, inspect_cache

    sources = [cache_options.source("CACHE", text) for text in texts]
    if any(source.type == "steps" for source in sources):
        raise click.BadParameter("not supported yet: a step cache has no list of its steps", param_hint="CACHE")

    async def read() -> "list[Inspected]":
        return [await inspect_cache(source, platform, insecure) for source in sources]

    try:
        return asyncio.run(read())
    except CacheUnreadable as error:
        raise Trouble(str(error)) from error


def show(shown: dict[str, Any] | Iterable[str]) -> None:
    """JSON, or lines."""
    print(json.dumps(shown, indent=2) if isinstance(shown, dict) else "\n".join(shown), flush=True)
