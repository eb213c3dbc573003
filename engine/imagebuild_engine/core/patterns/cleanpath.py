"""Go's path.Clean: the shortest name of the same path, by text alone."""

from __future__ import annotations


def clean_path(path: str) -> str:
    """Without doubled slashes, `.` and, where a name stands before them, `..`; an empty path is `.`."""
    rooted = path.startswith("/")
    kept: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part != "..":
            kept.append(part)
        elif kept and kept[-1] != "..":
            kept.pop()
        elif not rooted:
            kept.append(part)
    if rooted:
        return "/" + "/".join(kept)
    return "/".join(kept) or "."
