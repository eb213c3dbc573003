"""The text of a RUN step as a shell reads it: what of it is blank space and comment, and when that cannot matter.

Two texts with the same normal form do the same; where that is not certain there is no normal form, and the exact text
is the only one. The page docs/reference/run-text.md tells users what that means.
"""

from .normal import normalize
from .shells import is_posix_shell, normal_args

__all__ = ["is_posix_shell", "normal_args", "normalize"]
