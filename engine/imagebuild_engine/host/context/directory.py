"""A directory that is there already: on a laptop the context itself, in a pod a mounted ConfigMap."""

import shutil
from pathlib import Path

MAX_CONFIG_MAP_BYTES = 4 << 20


class ContextMissing(Exception):
    """There is no such context directory; the text says which and why."""


def context_directory(root: Path, context_dir: str) -> Path:
    """The directory `context_dir` of the source tree `root`, known not to lead out of it. Raises ContextMissing."""
    if not root.is_dir():
        raise ContextMissing(f"the build context {root} is not a directory")
    path = root / context_dir
    try:
        resolved = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise ContextMissing(f'there is no directory "{context_dir}" in the source: {error}') from error
    if not resolved.is_relative_to(root.resolve()):
        raise ContextMissing(f'"{context_dir}" leads out of the source tree')
    if not resolved.is_dir():
        raise ContextMissing(f'"{context_dir}" is not a directory of the source')
    return resolved


def dereferenced(volume: Path, target: Path) -> Path:
    """A plain copy of a ConfigMap volume, which is a farm of links into a hidden directory that the kubelet swaps."""
    target.mkdir(parents=True)
    if not volume.is_dir():
        raise ContextMissing(f"the source volume {volume} is not mounted")
    budget = MAX_CONFIG_MAP_BYTES
    for entry in sorted(volume.iterdir()):
        if entry.name.startswith(".."):
            continue
        if not entry.is_file():
            continue
        budget -= entry.stat().st_size
        if budget < 0:
            raise ContextMissing(f"the source volume holds more than {MAX_CONFIG_MAP_BYTES} bytes")
        shutil.copyfile(entry, target / entry.name)
        (target / entry.name).chmod(0o644)
    return target
