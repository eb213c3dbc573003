"""Which builder goes with which case."""

from collections.abc import Sequence

import pytest

from tests.interop.corpus import CASES, Case
from tests.interop.table import BUILDERS


def beside(
    cases: Sequence[Case] = CASES, builders: Sequence[str] = BUILDERS, *, refused: bool = False
) -> pytest.MarkDecorator:
    """Every builder with each of the cases that it can build, or that it cannot."""
    pairs = [(name, case) for name in builders for case in cases if (name in case.refused) == refused]
    ids = [f"{name}-{case.name}" for name, case in pairs]
    return pytest.mark.parametrize(("builder", "case"), pairs, indirect=["builder"], ids=ids)
