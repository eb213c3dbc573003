"""Real shells as judges: what a text does, in an empty directory of its own, bounded."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

SHELLS = {
    name: (path, *more)
    for name, more in {"dash": (), "bash": (), "busybox": ("sh",)}.items()
    if (path := shutil.which(name)) is not None
}
"""Those that this machine has, by name: the command without `-c`."""

# Inherited by the shell: a second of work, files and memory of a few megabytes. It gets the text as it is.
_BOUNDED = 'ulimit -t 2 -f 4096 -v 1000000; shell=$1; shift; exec "$shell" "$@"'


@dataclass(frozen=True)
class Behaviour:
    """What a step leaves behind. The log is no part of it."""

    code: int
    output: bytes
    files: tuple[tuple[str, bytes], ...]
    in_place: bool | None = None
    """Was the last command, which prints its process's number, run in the shell's own process?"""


def behaviour(shell: tuple[str, ...], text: str, *, asks_for_process: bool = False) -> Behaviour:
    """Run the text. It must be one that touches nothing outside its directory."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _BOUNDED, "sh", *shell, "-c", text],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            output, _ = process.communicate(timeout=20)
        finally:
            process.kill()
        files = tuple((path.name, path.read_bytes()) for path in sorted(Path(folder).iterdir()) if path.is_file())
        if asks_for_process:
            return Behaviour(process.returncode, b"", files, output.strip() == str(process.pid).encode())
        return Behaviour(process.returncode, output, files)
