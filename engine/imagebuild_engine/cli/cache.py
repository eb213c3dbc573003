"""`imagebuild cache inspect`: the records that an image carries."""

import asyncio
import json
import sys
from typing import Any

import click

from . import options


@click.group()
def cache() -> None:
    """Look into the cache that images carry."""


@cache.command()
@click.argument("ref")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--insecure-registry", "insecure", multiple=True, metavar="HOST", help="Speak plain HTTP with that registry."
)
def inspect(ref: str, form: str, insecure: tuple[str, ...]) -> None:
    """The cache records in the config of the image REF."""
    from ..build import inspect_cache

    reference = options.reference("REF", ref)
    inspected, problem = asyncio.run(inspect_cache(reference, insecure))
    if inspected is None:
        raise click.ClickException(problem)
    if form == "json":
        print(json.dumps(inspected, indent=2))
        return
    _print_tree(inspected)
    sys.stdout.flush()


@cache.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def diff() -> None:
    """Not supported yet."""
    raise click.UsageError('not supported yet: "imagebuild cache diff"')


def _print_tree(inspected: dict[str, Any]) -> None:
    print(f"{inspected['ref']}\n{inspected['digest']}  {inspected['platform']}, {inspected['layers']} layers")
    records = inspected["records"]
    if not records:
        print("no cache records")
        return
    print(f"{len(records)} records, {sum(1 for item in records if item['layers'] or item['chains'])} with a result\n")
    for number, record in enumerate(records):
        print(
            f"{number:>4}  {record['digest'][7:19]}  {_result(record)}"
            + (f"  {record['created_by']}" if record["created_by"] else "")
        )
        for position, links in enumerate(record["inputs"]):
            for link in links:
                selector = f" selecting {link['selector'][7:19]}" if link["selector"] else ""
                print(f"      input {position} from {link['link']}{selector}")


def _result(record: dict[str, Any]) -> str:
    if record["layers"]:
        return f"layers 0..{record['layers'][0]}"
    return f"layers {', '.join(map(str, record['chains'][0]))}" if record["chains"] else "no result"
