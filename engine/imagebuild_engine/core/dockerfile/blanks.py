"""Which characters stand between the words of a Dockerfile."""

from __future__ import annotations

import re
from typing import Final

from ..patterns import SPACE

GAP: Final = re.compile(r"[\t\v\f\r ]+")
"""What separates an instruction's name and its plain words. Fewer characters than SPACE; BuildKit has both sets."""

__all__ = ["GAP", "SPACE"]
