"""The build context of the Dockerfile: wheels and runc, nothing else.

The wheels are those of requirements/runtime.txt, checked by hash, for the image's Python and not for this machine's;
ours is built from the checkout. The directory is rewritten only where something changed, so that a second build of the
image is a full cache hit.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON_VERSION = "3.11"


def prepare(target: Path, runc: Path) -> None:
    """Lay out `target` as the Dockerfile expects it."""
    wheels = target / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    wanted = {_locked(wheels), _own(wheels), _pip(wheels)}
    keep = frozenset().union(*wanted)
    for file in wheels.iterdir():
        if file.name not in keep:
            file.unlink()
    binaries = target / "bin"
    binaries.mkdir(exist_ok=True)
    _replace(runc, binaries / "runc", 0o755)


def _locked(wheels: Path) -> frozenset[str]:
    """The dependencies' wheels, downloaded once for each state of the lock file."""
    lock = ROOT / "requirements" / "runtime.txt"
    key = hashlib.sha256(lock.read_bytes() + PYTHON_VERSION.encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "imagebuild" / "wheels" / key
    if not (cache / ".complete").exists():
        cache.mkdir(parents=True, exist_ok=True)
        print("==> downloading the image's Python packages", flush=True)
        _pip_run(
            *("download", "--require-hashes", "--only-binary=:all:", "--no-deps"),
            *("--python-version", PYTHON_VERSION, "--implementation", "cp", "--abi", "cp311", "--abi", "abi3"),
            *("--abi", "none", "--platform", "manylinux_2_28_x86_64", "--platform", "manylinux_2_17_x86_64"),
            *("--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_5_x86_64"),
            *("--platform", "manylinux1_x86_64", "--platform", "any"),
            *("--requirement", str(lock), "--dest", str(cache)),
        )
        (cache / ".complete").touch()
    names = frozenset(file.name for file in cache.glob("*.whl"))
    for name in names:
        _replace(cache / name, wheels / name, 0o644)
    return names


def _own(wheels: Path) -> frozenset[str]:
    """Our wheel. SOURCE_DATE_EPOCH keeps it the same as long as the code is."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = os.environ | {"SOURCE_DATE_EPOCH": "1700000000"}
        _pip_run(
            *("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", scratch, str(ROOT)), environment=environment
        )
        (built,) = Path(scratch).glob("*.whl")
        _replace(built, wheels / built.name, 0o644)
        return frozenset({built.name})


def _pip(wheels: Path) -> frozenset[str]:
    """pip's own wheel, under a name that the Dockerfile can say: the one that ensurepip carries."""
    import ensurepip

    (bundled,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    _replace(bundled, wheels / "pip.whl", 0o644)
    return frozenset({"pip.whl"})


def _pip_run(*arguments: str, environment: dict[str, str] | None = None) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, env=environment)


def _replace(source: Path, target: Path, mode: int) -> None:
    """Copies unless it is the same already, so that times stay and nothing looks new that is not."""
    if not target.exists() or target.read_bytes() != source.read_bytes():
        shutil.copyfile(source, target)
    target.chmod(mode)
