"""Where everything of the benchmark lies: a new ext4 with a journal, whatever the machine's own file system is.

An ext4 without a journal, as small virtual machines have it, gives no inode away again for minutes after a deletion and
looks at every one of them for each new file. Builds delete and create files by the ten thousand, so there the benchmark
would measure how many had been deleted by whoever was before.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BYTES = 32 << 30
"""The file has holes: only what is written takes room."""


@contextmanager
def ground() -> Iterator[tuple[Path, str]]:
    """An empty folder and what it lies on; both go afterwards. Without loop devices it is the machine's own."""
    with tempfile.TemporaryDirectory(prefix="imagebuild-bench-") as name:
        image, folder = Path(name) / "ext4.img", Path(name) / "ground"
        folder.mkdir()
        with image.open("wb") as file:
            file.truncate(_BYTES)
        made = _do("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image))
        if not made or not _do("mount", "-o", "loop", str(image), str(folder)):
            image.unlink()
            yield folder, "the machine's own"
            return
        try:
            yield folder, "ext4 with a journal, on a loop device"
        finally:
            # Lazily: whatever a daemon has left mounted below goes along.
            _do("umount", "--lazy", str(folder))


def _do(*command: str) -> bool:
    try:
        subprocess.run(command, check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return False
    return True
