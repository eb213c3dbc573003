"""How much work something is, counted and not timed: a loop in a loop shows on any machine, however busy."""

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


def calls_of(work: Callable[[], object]) -> int:
    """Function calls during the work, Python's and C's, in this thread and in those that it starts."""
    count = 0

    def seen(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    threading.setprofile(seen)
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return count


def grows_no_faster_than_its_size(work_of: Callable[[int], Callable[[], object]], size: int) -> bool:
    """Is twice the size about twice the work? (The square would be four times.) `work_of` prepares the work."""
    small, large = (calls_of(work_of(number)) for number in (size, 2 * size))
    return large < 3 * small
