"""`make demo` from top to bottom, as a newcomer runs it: twice, since the second one finds everything made."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.cluster.access import Access

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).parents[2]


def test_the_demo_shows_the_main_job(installed: Access) -> None:
    environment = os.environ | {"NO_COLOR": "1"}
    done = subprocess.run(
        ["make", "--no-print-directory", "demo"],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    first, second = re.findall(
        r"^shop-[12]\s+Succeeded\s+ImagePushed\s+(\d+)/(\d+)\s+sha256:", done.stdout, re.MULTILINE
    )
    assert first[0] == "0"
    assert int(second[0]) == int(second[1]) - 1, "one step ran, the rest came from the cache"
    assert "in status.cache.firstMiss: FilesChanged banner.txt" in done.stdout
    assert "Welcome to the shop, now with free delivery: 4 pages on port 8080" in done.stdout
    assert re.search(r'imagebuild_cache_steps_total\{outcome="hit"\}\s+\d+ -> \d+', done.stdout)
    assert re.search(r"second build .* s saved", done.stdout)
    assert "To go on by hand" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
