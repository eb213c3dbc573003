"""What a person reads when there is no image, and the exit code."""

import sys

from ..contract import FAILURES, FailureResult


def failed(failure: FailureResult) -> int:
    """Tells it on standard error; the exit code that its reason has (engine document, section 1)."""
    print(f"error: {failure.message}", file=sys.stderr)
    if failure.excerpt:
        print(failure.excerpt, file=sys.stderr)
    return exit_code(failure)


def exit_code(failure: FailureResult) -> int:
    return FAILURES[failure.reason].exit_code or 1
