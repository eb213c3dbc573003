"""`imagebuild build --check`: what is likely wrong with a Dockerfile, without building it."""

import asyncio
import json

from ..build import Checked, Settings, run_checks
from ..contract import BuildRequest
from ..core.checks import Report
from ..core.dockerfile import Source
from .failure import exit_code, failed


def check(request: BuildRequest, settings: Settings, output: str) -> int:
    """Prints findings on standard output, an error on standard error; the exit code: 0 without findings, else 1.

    Where the Dockerfile could not be built at all it is that failure's code.
    """
    checked = asyncio.run(run_checks(request, settings))
    if output == "json":
        print(json.dumps(_as_json(checked), indent=2))
    elif checked.dockerfile is not None and (checked.report.violations or checked.failure is None):
        print(checked.report.text(checked.dockerfile.source), end="")
    if checked.failure is None:
        return 1 if checked.report.violations else 0
    if output == "text":
        return failed(checked.failure)
    return exit_code(checked.failure)


def _as_json(checked: Checked) -> dict[str, object]:
    source = checked.dockerfile.source if checked.dockerfile else checked.error.source if checked.error else None
    location = checked.error.location if checked.error else None
    message = checked.failure.message if checked.failure else ""
    report = checked.report if checked.dockerfile else Report()
    return report.json(source or Source("Dockerfile", ""), message, location)
