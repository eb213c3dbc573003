"""Images that the cluster brings: reproducible, and pushed without sending what is there."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cluster import images, layout
from tests.cluster.layout import Entry, Registry, UploadError

ENTRIES = (
    Entry(name="bin/sh", data=b"#!", mode=0o755),
    Entry(name="bin/ls", link="sh"),
    Entry(name="tmp", mode=0o1777),
)


def write(folder: Path) -> str:
    return layout.write(folder, layer=layout.pack(ENTRIES), settings={"Cmd": ["/bin/sh"]}, created_by="a test")


def test_layer_has_the_folders_of_its_files_before_them_and_each_once() -> None:
    with tarfile.open(fileobj=io.BytesIO(layout.pack(ENTRIES))) as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == ["bin", "bin/sh", "bin/ls", "tmp"]
    assert members[3].mode == 0o1777
    assert members[2].linkname == "sh"


def test_same_content_gives_the_same_digest(tmp_path: Path) -> None:
    assert write(tmp_path / "one") == write(tmp_path / "two")


def test_every_blob_is_named_by_its_content(tmp_path: Path) -> None:
    write(tmp_path / "image")
    for blob in (tmp_path / "image" / "blobs" / "sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name


def test_diff_id_is_of_the_uncompressed_layer(tmp_path: Path) -> None:
    write(tmp_path / "image")
    blobs = {f"sha256:{blob.name}": blob.read_bytes() for blob in (tmp_path / "image" / "blobs/sha256").iterdir()}
    manifest = json.loads(blobs[layout.digest_of(tmp_path / "image")])
    config = json.loads(blobs[manifest["config"]["digest"]])
    layer = gzip.decompress(blobs[manifest["layers"][0]["digest"]])
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]


class FakeRegistry(ThreadingHTTPServer):
    """Enough of a registry for one pusher."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.stored: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.refuses = False


class Handler(BaseHTTPRequestHandler):
    server: FakeRegistry

    def do_HEAD(self) -> None:
        self.server.requests.append(f"HEAD {self.path}")
        body = self.server.stored.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(body or b'').hexdigest()}")
        self.end_headers()

    def do_POST(self) -> None:
        self.server.requests.append(f"POST {self.path}")
        self.send_response(403 if self.server.refuses else 202)
        self.send_header("Location", f"{self.path}session?state=1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_PUT(self) -> None:
        self.server.requests.append(f"PUT {self.path}")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        place, _, query = self.path.partition("?")
        if query:
            place = place.replace("uploads/session", query.partition("digest=")[2])
        self.server.stored[place] = body
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Tests look at `requests` instead."""


@pytest.fixture
def server() -> Iterator[FakeRegistry]:
    with FakeRegistry() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_pushed_image_is_complete_and_pushing_it_again_costs_one_request(server: FakeRegistry, tmp_path: Path) -> None:
    digest = write(tmp_path / "image")
    registry = Registry(address=f"127.0.0.1:{server.server_port}")
    assert registry.push(tmp_path / "image", "a/b", "1") == digest
    for blob in (tmp_path / "image" / "blobs" / "sha256").iterdir():
        kind = "manifests/1" if digest.endswith(blob.name) else f"blobs/sha256:{blob.name}"
        assert server.stored[f"/v2/a/b/{kind}"] == blob.read_bytes()
    server.requests.clear()
    registry.push(tmp_path / "image", "a/b", "1")
    assert server.requests == ["HEAD /v2/a/b/manifests/1"]


def test_refusal_names_the_request(server: FakeRegistry, tmp_path: Path) -> None:
    write(tmp_path / "image")
    server.refuses = True
    with pytest.raises(UploadError, match=r"POST http://.*/v2/a/b/blobs/uploads/: 403"):
        Registry(address=f"127.0.0.1:{server.server_port}").push(tmp_path / "image", "a/b", "1")


def test_image_is_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made: list[None] = []

    def layer() -> bytes:
        made.append(None)
        return layout.pack(ENTRIES)

    def image(recipe: str) -> images.Image:
        return images.Image(repository="library/x", tag="1", recipe=recipe, layer=layer, settings={})

    assert image("one").make() == image("one").make()
    assert len(made) == 1
    assert image("another").make() != image("one").make()
    assert len(made) == 2


def test_base_image_has_no_trace_of_this_machine() -> None:
    command = images.base_command(Path("root.tar"), [])
    (hook,) = [word for word in command if word.startswith("--customize-hook=")]
    for name in ("etc/hostname", "etc/resolv.conf", "etc/apt/sources.list", "var/log"):
        assert f'"$1"/{name}' in hook
