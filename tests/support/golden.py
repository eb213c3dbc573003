"""Golden files: records that real BuildKit daemons made.

There is one in the repository. `IMAGEBUILD_GOLDEN` names another file of the same form, which takes its place wherever
all cases of a file are gone through; tests about a certain case keep to the repository's.
"""

import base64
import json
import os
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from imagebuild_engine.core.cache import (
    ChainResult,
    DescribedTree,
    LayerResult,
    Link,
    Record,
    TreeEntry,
    entry_header,
)
from imagebuild_engine.core.frontend import PinnedImage
from imagebuild_engine.core.oci import (
    Descriptor,
    Digest,
    HistoryEntry,
    ImageConfig,
    MediaType,
    Platform,
    Reference,
    RunConfig,
)

DEFAULT = Path(__file__).parent.parent / "golden" / "buildkit-cache.json"
AMD64 = Platform("linux", "amd64")
_TYPEFLAGS = {"file": "0", "dir": "5", "symlink": "2"}


@cache
def _read(path: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(Path(path).read_text())
    return data


def golden() -> dict[str, Any]:
    """The file whose cases are gone through."""
    return _read(os.environ.get("IMAGEBUILD_GOLDEN") or str(DEFAULT))


def own() -> dict[str, Any]:
    """The repository's file."""
    return _read(str(DEFAULT))


@dataclass(frozen=True)
class Case:
    """One Dockerfile with its context and what HEAD made of it."""

    name: str
    data: dict[str, Any]
    file: dict[str, Any] = field(repr=False, compare=False)
    """The whole file that the case is from."""

    @property
    def dockerfile(self) -> bytes:
        text: str = self.data["context"]["Dockerfile"]["text"]
        return text.encode()

    @property
    def build_args(self) -> dict[str, str]:
        pairs = [option.removeprefix("build-arg:") for option in self.data["opts"] if option.startswith("build-arg:")]
        return dict(pair.split("=", 1) for pair in pairs)

    @property
    def history(self) -> list[str]:
        history: list[str] = self.data["history_HEAD"]
        return history

    def records(self, version: str = "HEAD") -> list[list[Any]]:
        (found,) = (group["rec"] for group in self.data["groups"] if version in group["versions"])
        records: list[list[Any]] = found
        return records

    @property
    def versions(self) -> list[str]:
        """The versions of BuildKit that could build the case."""
        return [version for group in self.data["groups"] for version in group["versions"]]

    def beyond_reach(self, version: str) -> str:
        """Why the version's records of this case and ours do not meet, by design (see Dialect); "" where they do."""
        limits = ("ulimit=", "cgroup-parent=", "shm-size=")
        if version.startswith("v0.8.") and any(option.startswith(limits) for option in self.data["opts"]):
            return "v0.8 ignores limits: its key of such a step is that of a step without"
        if version.startswith("v0.10.") and re.search(rb"^(COPY|ADD)\b.*<<", self.dockerfile, re.MULTILINE):
            return "v0.10 makes the files of a COPY's heredocs with another mode"
        return ""

    def context(self, kept: "set[str] | None" = None) -> DescribedTree:
        """The context as a client of BuildKit sends it; `kept` are the paths that .dockerignore leaves."""
        entries = [
            described(path, facts) for path, facts in self.data["context"].items() if kept is None or path in kept
        ]
        return DescribedTree(entries, root_digest=Digest.of(b""))


@cache
def cases() -> tuple[Case, ...]:
    """All cases of the file."""
    return tuple(Case(name, data, golden()) for name, data in golden()["cases"].items())


def case(prefix: str) -> Case:
    """The case of the repository's file whose name starts with the prefix and an underscore."""
    (name,) = (name for name in own()["cases"] if name.startswith(f"{prefix}_"))
    return Case(name, own()["cases"][name], own())


def described(path: str, facts: dict[str, Any]) -> TreeEntry:
    """One file of a golden context, or of a tree that a step would have written."""
    link = facts.get("link")
    kind = "symlink" if link is not None else facts.get("type", "file")
    data = _bytes(facts) if kind == "file" else b""
    header = entry_header(
        mode=0o777 if kind == "symlink" else int(facts["mode"], 8),
        uid=0,
        gid=0,
        size=len(data),
        typeflag=_TYPEFLAGS[kind],
        linkname=link or "",
        xattrs=[(name, value.encode()) for name, value in facts.get("xattrs", {}).items()],
    )
    return TreeEntry(path, kind, Digest.of(header + data), link or "")


def _bytes(facts: dict[str, Any]) -> bytes:
    text: str = facts.get("text", "")
    return base64.b64decode(facts["b64"]) if "b64" in facts else text.encode()


def base_image(file: dict[str, Any], platform: Platform = AMD64) -> tuple[Reference, PinnedImage]:
    """The base image of a golden file's Dockerfiles, under the name that they use."""
    base = file["base"]
    reference = Reference.parse(base["ref_in_dockerfiles"])
    digest = Digest.parse(base["digest_used_in_key (index)"])
    facts = base["platforms"][str(platform)]
    diff_ids = tuple(Digest.parse(item) for item in facts["diff_ids"])
    config = ImageConfig(
        platform=platform,
        config=RunConfig(env=tuple(facts["config"]["Env"]), working_dir=facts["config"]["WorkingDir"]),
        diff_ids=diff_ids,
        history=tuple(
            HistoryEntry(created_by=entry["created_by"], empty_layer=entry.get("empty_layer", False))
            for entry in facts["history"]
        ),
    )
    layers = tuple(Descriptor(media_type=MediaType.OCI_LAYER_GZIP, digest=item, size=1) for item in diff_ids)
    pinned = reference.with_digest(digest)
    return reference, PinnedImage(reference=pinned, digest=digest, platform=platform, config=config, layers=layers)


def graph_of_golden(records: list[list[Any]]) -> set[str]:
    """The records as a set of texts in which positions play no part."""
    names: dict[int, str] = {}

    def name(number: int) -> str:
        if number not in names:
            digest, inputs, _, _ = records[number]
            names[number] = _name(
                digest, [[(selector, name(parent)) for selector, parent in links] for links in inputs]
            )
        return names[number]

    return {f"{name(number)} layers={record[2]} chains={record[3]}" for number, record in enumerate(records)}


def records_of_golden(records: list[list[Any]]) -> tuple[Record, ...]:
    """The records as our reader would have them."""
    return tuple(
        Record(
            digest=Digest.parse(digest),
            inputs=tuple(tuple(Link(parent, selector) for selector, parent in links) for links in inputs),
            results=tuple(LayerResult(layer) for layer in layers),
            chains=tuple(ChainResult(tuple(chain)) for chain in chains),
        )
        for digest, inputs, layers, chains in records
    )


def graph_of(records: tuple[Record, ...]) -> set[str]:
    """The same of our own records."""
    plain = [
        [
            str(record.digest),
            [[[link.selector, link.parent] for link in links] for links in record.inputs],
            [result.layer for result in record.results],
            [list(chain.layers) for chain in record.chains],
        ]
        for record in records
    ]
    return graph_of_golden(plain)


def _name(digest: str, inputs: list[list[tuple[str, str]]]) -> str:
    return Digest.of(json.dumps([digest, [sorted(links) for links in inputs]]).encode())[:40] + " " + digest[7:19]
