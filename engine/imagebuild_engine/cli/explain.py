"""`imagebuild explain`: why steps of an image's build were hits or misses; where two images' caches part."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import cache_options, report_file
from .cache import SHAPES, Trouble, common, read, show

if TYPE_CHECKING:
    from ..build.explain import Explained


@click.command(
    help=f"Why the steps of the build that made IMAGE were hits or misses. IMAGE is {SHAPES}, or the metadata file of "
    "a build."
)
@click.argument("image", metavar="IMAGE")
@click.option("--against", default="", metavar="IMAGE", help="Say instead which steps the caches of both images have.")
@click.option("--html", metavar="FILE", help="Write it as one HTML page, as --report of a build does.")
@common
def explain(image: str, against: str, html: str | None, form: str, platform: str, insecure: tuple[str, ...]) -> None:
    if against:
        if Path(image).is_file():
            raise click.UsageError("--against compares the caches of two images, not a metadata file")
        if html:
            raise click.UsageError("--html shows one build: it cannot be given with --against")
        _compare(image, against, form, platform, insecure)
        return
    page = report_file.place("--html", html) if html else None
    explained = _read(image, platform, insecure)
    if page is not None:
        _write(page, explained)
        return
    show(_json(explained) if form == "json" else _text(explained))


def _compare(image: str, against: str, form: str, platform: str, insecure: tuple[str, ...]) -> None:
    import msgspec

    from ..build.explain import beside
    from ..build.inspect import compare_caches, comparison_json
    from ..build.progress import printable
    from .cache_text import difference
    from .step_table import step_table

    one, other = read([image, against], platform, insecure)
    comparison, steps = compare_caches(one, other), beside(one, other)
    if form == "json":
        show({**comparison_json(one, other, comparison), "steps": msgspec.to_builtins(steps)})
        return
    table = [printable(line) for line in step_table(steps)]
    show([*table, *([""] if table else []), *difference(one, other, comparison)])


def _read(image: str, platform: str, insecure: tuple[str, ...]) -> "Explained":
    from ..build.explain import Unexplained, explain_file, explain_image
    from ..build.inspect import CacheUnreadable

    try:
        if Path(image).is_file():
            return explain_file(Path(image))
        return asyncio.run(explain_image(cache_options.source("IMAGE", image), platform, insecure))
    except (CacheUnreadable, Unexplained) as error:
        raise Trouble(str(error)) from error


def _write(page: Path, explained: "Explained") -> None:
    if explained.result is None:
        raise Trouble(f"{explained.ref} {_silent(explained)}")
    try:
        report_file.write_page(page, explained.result)
    except OSError as error:
        raise Trouble(f"{page} cannot be written: {error.strerror}") from error


def _json(explained: "Explained") -> dict[str, Any]:
    import msgspec

    from ..build.inspect import inspected_json

    return {
        "ref": explained.ref,
        "digest": explained.digest,
        "result": msgspec.to_builtins(explained.result),
        "cache": inspected_json(explained.inspected) if explained.inspected else None,
    }


def _text(explained: "Explained") -> Iterator[str]:
    from ..build.progress import at, printable, summary
    from .cache_text import tree
    from .step_table import step_table

    if explained.result is None:
        assert explained.inspected is not None
        yield f"{at(explained.ref, explained.digest)} {_silent(explained)}"
        yield "Its steps, as far as its own records know them:"
        yield ""
        yield from tree(explained.inspected)
        return
    if explained.digest:
        yield printable(at(explained.ref or "image", explained.digest))
    yield from map(printable, step_table(explained.result.steps))
    yield from map(printable, summary(explained.result))
    if explained.result.failure:
        yield printable(f"failed: {explained.result.failure.message}")


def _silent(explained: "Explained") -> str:
    return f"does not say how its steps came about: {explained.problem}"
