"""What holds for all tests: on CI nothing is skipped."""

import os
from collections.abc import Generator

import pytest

NO_SKIP = os.environ.get("IMAGEBUILD_NO_SKIP") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test says what is missing; where nothing may be missing, that is a failure."""
    report = yield
    if NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but IMAGEBUILD_NO_SKIP=1 allows no skipping: {report.longrepr}"
    return report
