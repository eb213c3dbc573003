"""What all that speaks HTTP here has in common: connections by trust, and URLs."""

from .connections import Connections, is_certificate_problem
from .urls import Trust, is_loopback, origin, redacted, trust_of

__all__ = ["Connections", "Trust", "is_certificate_problem", "is_loopback", "origin", "redacted", "trust_of"]
