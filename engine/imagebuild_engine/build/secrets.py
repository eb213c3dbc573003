"""Secrets that steps are given: where they come from, and how they are kept out of what is shown.

A value is read when a step needs it and lives no longer than the step. It is in no key, no layer, no log and no error.
"""

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..contract import SecretSource

LIMIT = 500 * 1024
"""Bytes, as in BuildKit (session/secrets/secretsprovider)."""
_SHORTEST = 4
"""What is shorter is not hidden: it would be found in every other word."""
_SEARCHED_LINES = 64
_HIDDEN = b"****"


class SecretUnreadable(Exception):
    """A secret that the caller offers cannot be had. The message has its id and its place, never its value."""


class SecretStore:
    """The caller's secrets, by id. `environ` is the engine's environment."""

    def __init__(self, sources: Sequence[SecretSource] = (), environ: Mapping[str, str] | None = None) -> None:
        self._sources = {source.id: source for source in sources}
        self._environ = os.environ if environ is None else environ

    def __repr__(self) -> str:
        return f"<SecretStore {', '.join(self._sources) or 'empty'}>"

    def check(self) -> None:
        """Are all files there? Raises SecretUnreadable: better before the first step than at the last."""
        for source in self._sources.values():
            if source.path is not None:
                self._file(source.id, Path(source.path))

    def get(self, name: str) -> bytes | None:
        """The value of the secret with that id; None for one that nobody offers. Blocks. Raises SecretUnreadable.

        A variable that is not set is empty, as in docker.
        """
        source = self._sources.get(name)
        if source is None:
            return None
        if source.path is None:
            return os.fsencode(self._environ.get(source.env or name, ""))
        path = self._file(name, Path(source.path))
        try:
            with path.open("rb") as file:
                value = file.read(LIMIT + 1)
        except OSError as error:
            raise SecretUnreadable(f'secret "{name}": {path}: {error.strerror}') from error
        if len(value) > LIMIT:
            raise SecretUnreadable(_too_large(name, path))
        return value

    def _file(self, name: str, path: Path) -> Path:
        try:
            found = path.stat()
        except OSError as error:
            raise SecretUnreadable(f'secret "{name}": {path}: {error.strerror}') from error
        if not stat.S_ISREG(found.st_mode):
            raise SecretUnreadable(f'secret "{name}": {path} is not a file')
        if found.st_size > LIMIT:
            raise SecretUnreadable(_too_large(name, path))
        return path


def _too_large(name: str, path: Path) -> str:
    return f'secret "{name}": {path} is larger than {LIMIT >> 10} KiB'


class Redactor:
    """Takes the values out of lines that a step prints. Each line of a value is looked for by itself.

    Of a value with very many lines the first are found anywhere in a line, the rest only where they are all of it: a
    step that prints much must not become slow.
    """

    def __init__(self, values: Iterable[bytes]) -> None:
        found: dict[bytes, None] = {}
        whole: set[bytes] = set()
        for value in values:
            lines = [line for part in value.splitlines() if len(line := part.strip()) >= _SHORTEST]
            found |= dict.fromkeys(lines[:_SEARCHED_LINES])
            whole.update(lines[_SEARCHED_LINES:])
        self._searched = sorted(found, key=len, reverse=True)
        self._whole = whole

    def __call__(self, line: bytes) -> bytes:
        if self._whole and line.strip() in self._whole:
            return _HIDDEN
        for value in self._searched:
            if value in line:
                line = line.replace(value, _HIDDEN)
        return line
