"""What all that speaks HTTP here has in common: connections by trust, and URLs."""

import sys

from .connections import Connections, is_certificate_problem
from .urls import Trust, is_loopback, origin, redacted, trust_of

# httpx imports its own command line where its requirements happen to be installed, as ours are: a third of its start-up
# time. With this it does without, as it does where they are not.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None is the interpreter's word for "not there"

__all__ = ["Connections", "Trust", "is_certificate_problem", "is_loopback", "origin", "redacted", "trust_of"]
