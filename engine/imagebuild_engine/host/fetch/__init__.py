"""Files from the web, as ADD takes them."""

from .errors import FetchFailed, WrongChecksum
from .http import FetchedFile, FetchLimits, fetch_url

__all__ = ["FetchFailed", "FetchLimits", "FetchedFile", "WrongChecksum", "fetch_url"]
