"""OCI image layouts: a folder with `index.json` and `blobs/sha256/`, written reproducibly and copied to a registry.

This is the cluster's own small writer and uploader, on purpose apart from the engine that the cluster is there to test.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import shutil
import tarfile
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EPOCH = "2025-01-01T00:00:00Z"
EPOCH_SECONDS = 1735689600


class UploadError(RuntimeError):
    """A registry refused something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file, folder (`data` None) or symbolic link (`link`) of a layer."""

    name: str
    data: bytes | None = None
    link: str = ""
    mode: int = 0o755


def pack(entries: Iterable[Entry]) -> bytes:
    """An uncompressed layer, with the folders that the entries lie in."""
    buffer = io.BytesIO()
    made: set[str] = set()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:

        def add(entry: Entry) -> None:
            parent = entry.name.rpartition("/")[0]
            if parent and parent not in made:
                add(Entry(name=parent))
            if entry.name in made:
                return
            made.add(entry.name)
            info = tarfile.TarInfo(entry.name)
            info.mode, info.mtime = entry.mode, EPOCH_SECONDS
            if entry.link:
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.link, 0o777
            elif entry.data is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(entry.data)
            archive.addfile(info, io.BytesIO(entry.data) if entry.data is not None else None)

        for entry in entries:
            add(entry)
    return buffer.getvalue()


def write(folder: Path, *, layer: bytes, settings: Mapping[str, Any], created_by: str) -> str:
    """A layout with one image of one layer (a tar). The same input gives the same digest, which is returned."""
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    (unfinished / "blobs" / "sha256").mkdir(parents=True)

    def blob(data: bytes, media_type: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (unfinished / "blobs" / "sha256" / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    packed = blob(gzip.compress(layer, compresslevel=6, mtime=0), LAYER)
    config = {
        "created": EPOCH,
        "architecture": "amd64",
        "os": "linux",
        "config": dict(settings),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [{"created": EPOCH, "created_by": created_by}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": blob(_compact(config), CONFIG),
        "layers": [packed],
    }
    described = blob(_compact(manifest), MANIFEST)
    (unfinished / "index.json").write_bytes(
        _compact({"schemaVersion": 2, "mediaType": INDEX, "manifests": [described]})
    )
    (unfinished / "oci-layout").write_bytes(_compact({"imageLayoutVersion": "1.0.0"}))
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    digest: str = described["digest"]
    return digest


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def digest_of(folder: Path) -> str:
    """The digest of a layout's one image."""
    digest: str = json.loads((folder / "index.json").read_bytes())["manifests"][0]["digest"]
    return digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A plain HTTP registry at `IP:PORT`, with basic auth where there is a user."""

    address: str
    user: str = ""
    password: str = ""

    def request(
        self, method: str, path: str, *, body: Path | bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Status, headers and body of one request."""
        sent = dict(headers or {})
        if self.user:
            sent["Authorization"] = "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode()
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            if isinstance(body, Path):
                sent["Content-Length"] = str(body.stat().st_size)
                with body.open("rb") as stream:
                    connection.request(method, path, body=stream, headers=sent)
            else:
                connection.request(method, path, body=body, headers=sent)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def has(self, repository: str, tag: str, digest: str) -> bool:
        """Whether the tag names this very image already."""
        headers = {"Accept": MANIFEST}
        status, answer, _ = self.request("HEAD", f"/v2/{repository}/manifests/{tag}", headers=headers)
        return status == 200 and answer.get("Docker-Content-Digest") == digest

    def push(self, folder: Path, repository: str, tag: str) -> str:
        """Copy a layout's one image to `repository:tag`; what the registry has is not sent again. Its digest."""
        digest = digest_of(folder)
        if self.has(repository, tag, digest):
            return digest
        manifest = _blob(folder, digest).read_bytes()
        parsed = json.loads(manifest)
        for descriptor in (parsed["config"], *parsed["layers"]):
            self._push_blob(repository, _blob(folder, descriptor["digest"]), descriptor["digest"])
        headers = {"Content-Type": parsed["mediaType"]}
        self._expect((201,), "PUT", f"/v2/{repository}/manifests/{tag}", body=manifest, headers=headers)
        return digest

    def _push_blob(self, repository: str, file: Path, digest: str) -> None:
        if self.request("HEAD", f"/v2/{repository}/blobs/{digest}")[0] == 200:
            return
        answer = self._expect((202,), "POST", f"/v2/{repository}/blobs/uploads/")
        place = urlsplit(urljoin(f"http://{self.address}/", answer["Location"]))
        query = f"{place.query}&digest={digest}" if place.query else f"digest={digest}"
        headers = {"Content-Type": "application/octet-stream"}
        self._expect((201,), "PUT", f"{place.path}?{query}", body=file, headers=headers)

    def _expect(
        self,
        statuses: Sequence[int],
        method: str,
        path: str,
        *,
        body: Path | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> http.client.HTTPMessage:
        status, answer, text = self.request(method, path, body=body, headers=headers)
        if status not in statuses:
            raise UploadError(f"{method} http://{self.address}{path}: {status} {text[:500]!r}")
        return answer


def _blob(folder: Path, digest: str) -> Path:
    return folder / "blobs" / digest.replace(":", "/")
