"""Servers that tests start, and their end."""

import subprocess


def end_process(process: "subprocess.Popen[bytes]", seconds: float = 10) -> None:
    """Asks it to end, and makes it after so long. Gone when this returns."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
