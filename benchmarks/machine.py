"""Where and with what it was measured."""

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.cluster import tools

ROOT = Path(__file__).resolve().parents[1]


def describe_machine() -> dict[str, str]:
    """Date, processor, memory, kernel and how busy it is already."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": str(os.cpu_count()),
        "processor": model[1] if model else platform.machine(),
        "memory": f"{memory / (1 << 30):.1f} GiB",
        "kernel": platform.release(),
        "load": load(),
    }


def load() -> str:
    """The load average of the last minute."""
    return f"{os.getloadavg()[0]:.2f}"


def sources() -> str:
    """Twelve hex digits that change whenever the engine's sources do."""
    parts = hashlib.sha256()
    for file in sorted((ROOT / "engine").rglob("*.py")):
        parts.update(f"\0{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return parts.hexdigest()[:12]


def describe_versions() -> dict[str, str]:
    """Of everything that takes part."""
    runc, buildkitd = tools.path("runc"), tools.path("buildkitd")
    commit = _said(["git", "-C", str(ROOT), "describe", "--always", "--dirty"])
    return {
        "imagebuild": f"{version('imagebuild')} ({commit}, sources {sources()})",
        "python": platform.python_version(),
        "buildkitd": _word(r"v\d\S+", _said([str(buildkitd), "--version"])),
        "runc": _word(r"\d+\.\d+\S*", _said([str(runc), "--version"])),
        "registry": _word(r"v?\d\S+", _said(["docker-registry", "--version"])),
    }


def _said(command: Sequence[str]) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip()


def _word(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[0] if found else text
