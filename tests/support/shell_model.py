"""What a few simple shell commands write: enough for the steps of golden cases that a later COPY --from reads."""

import shlex


def written_by(text: str) -> dict[str, bytes | None] | None:
    """Paths to a file's bytes, or to None for a directory; None as a whole for a command that is not known here."""
    if set(text) & set("\n;|`$()<\\*?'\"{}"):
        return None
    made: dict[str, bytes | None] = {}
    for command in text.split("&&"):
        match shlex.split(command):
            case ["echo", *words, ">", path]:
                made[path.lstrip("/")] = (" ".join(words) + "\n").encode()
            case ["mkdir", path]:
                made[path.lstrip("/")] = None
            case ["echo", *_] | ["true"] | ["cat", _] | ["pwd"]:
                pass
            case _:
                return None
    return made
