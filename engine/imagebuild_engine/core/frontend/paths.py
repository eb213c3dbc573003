"""Paths inside a tree, cleaned as BuildKit cleans them."""

import posixpath


def absolute(path: str) -> str:
    """Cleaned, below the root. (Two leading slashes are one here, unlike in POSIX.)"""
    return posixpath.normpath("/" + path.lstrip("/"))


def relative_to(directory: str, path: str) -> str:
    """An absolute destination; the slash or slash-dot at its end is kept, since it means a directory."""
    written = "./" if path in ("", ".") else path
    joined = written if written.startswith("/") else posixpath.join("/", directory, written)
    cleaned = absolute(joined)
    if written.endswith("/") and cleaned != "/":
        return cleaned + "/"
    if written.endswith("/."):
        return cleaned.rstrip("/") + "/."
    return cleaned
