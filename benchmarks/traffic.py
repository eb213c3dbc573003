"""Bytes that went in and out of the registry, from its own access log: nothing stands between it and the builders.

Pulled: the bodies of answers to GET, whose length the log tells. Pushed: what the registry stored, blobs by the digest
that ends their upload, manifests by their tag; the log does not tell the length of what came, so it is looked up in
the registry's storage. An upload that was given up counts for nothing, headers neither.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs

from tests.support.registry import RunningRegistry

_LINE = re.compile(r'^\S+ - \S+ \[[^]]*\] "([A-Z]+) (\S+) HTTP/[0-9.]+" (\d{3}) (\d+|-)', re.MULTILINE)
_UPLOAD = re.compile(r"/v2/(.+)/blobs/uploads/[^/]*")
_MANIFEST = re.compile(r"/v2/(.+)/manifests/([^/]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Bytes of bodies, and the number of requests."""

    pulled: int = 0
    pushed: int = 0
    requests: int = 0


class Line(NamedTuple):
    """One answered request as the log has it; `length` is of the answer's body."""

    method: str
    target: str
    status: int
    length: int


def read(log: str) -> Iterator[Line]:
    """The requests in a piece of access log."""
    for method, target, status, length in _LINE.findall(log):
        yield Line(method, target, int(status), int(length) if length.isdecimal() else 0)


def count(lines: Iterator[Line], stored: Callable[[str, str], int]) -> Traffic:
    """Sums; `stored` gives the size of what a repository keeps under a digest or a tag."""
    pulled = pushed = requests = 0
    for line in lines:
        requests += 1
        path, _, query = line.target.partition("?")
        if line.method == "GET":
            pulled += line.length
        elif line.method == "PUT" and line.status == 201:
            if found := _UPLOAD.fullmatch(path):
                pushed += stored(found[1], parse_qs(query)["digest"][0])
            elif found := _MANIFEST.fullmatch(path):
                pushed += stored(found[1], found[2])
    return Traffic(pulled=pulled, pushed=pushed, requests=requests)


@dataclass(frozen=True, slots=True)
class Meter:
    """Traffic of a registry from `start()` on."""

    registry: RunningRegistry

    def start(self) -> tuple[int, int]:
        """A mark for `since`."""
        self.registry.requests_after(0)  # so that nothing earlier is still to be written
        return len(self.registry.requests()), self._log.stat().st_size

    def since(self, mark: tuple[int, int]) -> Traffic:
        """All that was answered since the mark."""
        requests, offset = mark
        self.registry.requests_after(requests)
        with self._log.open() as log:
            log.seek(offset)
            lines = [line for line in read(log.read()) if "/end-of-log-" not in line.target]
        return count(iter(lines), self._stored)

    @property
    def _log(self) -> Path:
        return self.registry.folder / "access.log"

    def _stored(self, repository: str, name: str) -> int:
        root = self.registry.data / "docker" / "registry" / "v2"
        if ":" not in name:
            tag = root / "repositories" / repository / "_manifests" / "tags" / name / "current" / "link"
            name = tag.read_text().strip()
        algorithm, _, hexadecimal = name.partition(":")
        return (root / "blobs" / algorithm / hexadecimal[:2] / hexadecimal / "data").stat().st_size
