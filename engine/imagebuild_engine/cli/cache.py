"""`imagebuild cache`: what a cache says, and what differs between two."""

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from . import cache_options

if TYPE_CHECKING:
    from ..build import Inspected

_SHAPES = "REF, type=registry,ref=REF or type=local,src=DIRECTORY[,tag=…]"


class _Trouble(click.ClickException):
    exit_code = 2  # as diff has it: 1 is a difference


@click.group()
def cache() -> None:
    """Look into the cache of an image, or into one that is no image."""


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True),
        click.option("--platform", default="", help="Which image of several (default: this machine's)."),
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


@cache.command(help=f"The steps that CACHE knows, stage by stage. CACHE is {_SHAPES}.")
@click.argument("source", metavar="CACHE")
@_common
def inspect(source: str, form: str, platform: str, insecure: tuple[str, ...]) -> None:
    from ..build import inspected_json
    from .cache_text import tree

    (found,) = _read([source], platform, insecure)
    _show(inspected_json(found) if form == "json" else tree(found))


@cache.command(help=f"Which steps both caches have, which only one. Exit code 1 if they differ. A and B are {_SHAPES}.")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@_common
def diff(first: str, second: str, form: str, platform: str, insecure: tuple[str, ...]) -> None:
    from ..build import compare_caches, comparison_json
    from .cache_text import difference

    one, other = _read([first, second], platform, insecure)
    comparison = compare_caches(one, other)
    facts = comparison_json(one, other, comparison)
    _show(facts if form == "json" else difference(one, other, comparison))
    raise click.exceptions.Exit(0 if facts["equal"] else 1)


def _read(texts: list[str], platform: str, insecure: tuple[str, ...]) -> "list[Inspected]":
    from ..build import CacheUnreadable, inspect_cache

    sources = [cache_options.source("CACHE", text) for text in texts]
    if any(source.type == "steps" for source in sources):
        raise click.BadParameter("not supported yet: a step cache has no list of its steps", param_hint="CACHE")

    async def read() -> "list[Inspected]":
        return [await inspect_cache(source, platform, insecure) for source in sources]

    try:
        return asyncio.run(read())
    except CacheUnreadable as error:
        raise _Trouble(str(error)) from error


def _show(shown: dict[str, Any] | Iterable[str]) -> None:
    print(json.dumps(shown, indent=2) if isinstance(shown, dict) else "\n".join(shown), flush=True)
