"""Build contexts: where the files come from that COPY may read, and what is in them as far as keys care."""

from .directory import ContextMissing, context_directory, dereferenced
from .git import GitCheckout, ResolvedRef, checkout, checkout_commit, resolve
from .gitprogram import GitFailed
from .tree import ContextTree

__all__ = [
    "ContextMissing",
    "ContextTree",
    "GitCheckout",
    "GitFailed",
    "ResolvedRef",
    "checkout",
    "checkout_commit",
    "context_directory",
    "dereferenced",
    "resolve",
]
