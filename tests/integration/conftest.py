"""Fixtures of several files: a web server, and builds on nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.scratch_builds import Bench
from tests.support.web import Web, web_server


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as web:
        yield web
