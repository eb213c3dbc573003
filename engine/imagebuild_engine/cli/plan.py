"""`imagebuild plan`: what `imagebuild build` would do with the same options."""

import asyncio
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from ..contract import BuildRequest, PlanResult
from ..core.amounts import size
from .build import build, cancel_on_signals, requested, settings_for, settle
from .failure import exit_code, failed

if TYPE_CHECKING:
    from ..build import Settings

_BUILDS_ONLY = frozenset({"call", "check", "iidfile", "metadata_file", "progress", "quiet", "report"})
"""Options about the image that is made, and about telling of it while it is made."""


def _plan(context: str | None, form: str, strict: bool, **given: Any) -> None:
    request_file = given.pop("request_file")
    request = requested(context, request_file, given)
    settings = settings_for(given["state"], in_pod=bool(request_file))
    settle(given["state"], in_pod=bool(request_file))
    result = asyncio.run(_run(request, settings))
    runs = result.cache.hits < result.cache.total
    raise click.exceptions.Exit(_show(result, form) or (1 if strict and runs else 0))


async def _run(request: BuildRequest, settings: "Settings") -> PlanResult:
    from ..build import progress
    from ..build.plan import plan

    cancel_on_signals()
    return await plan(request, settings, progress.view("quiet"))


def _show(result: PlanResult, form: str) -> int:
    if form == "json":
        import msgspec

        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
        return exit_code(result.failure) if result.failure else 0
    if result.failure:
        return failed(result.failure)
    print("\n".join(_text(result)))
    return 0


def _text(result: PlanResult) -> Iterator[str]:
    from ..build.progress import source_lines
    from .step_table import step_table

    yield from source_lines(result.cache.sources)
    yield from step_table(result.steps)
    cache, pulled = result.cache, result.bytes
    undecided = f", {cache.depends} depend on what others write" if cache.depends else ""
    most = "" if pulled.at_most == pulled.pulled else " at least"
    if most and pulled.at_most is not None:
        most += f", {size(pulled.at_most)} at most"
    yield f"{cache.hits} of {cache.total} steps hit, {cache.misses} run{undecided}; {size(pulled.pulled)} to pull{most}"


plan = click.Command(
    "plan",
    callback=_plan,
    params=[
        *(parameter for parameter in build.params if parameter.name not in _BUILDS_ONLY),
        click.Option(["--format", "form"], type=click.Choice(["text", "json"]), default="text", show_default=True),
        click.Option(["--exit-code", "strict"], is_flag=True, help="Exit with 1 unless every step is a hit."),
    ],
    help="Say what a build of CONTEXT with the same options would take from caches, run and download. Nothing runs, "
    "and nothing is written.",
)
