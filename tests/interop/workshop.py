"""What the cases need around them: a registry with their base images, servers of files and of Git, contexts on disk."""

import base64
import http.server
import json
import re
import shutil
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from imagebuild_engine.core.cache import Record, decode_records

from tests.interop import bases
from tests.interop.corpus import Case
from tests.interop.corpus.case import File, write_tree
from tests.interop.engine import Built, Engine
from tests.support.build_options import Options, as_imagebuild
from tests.support.image_trees import Change, Node, final_tree, read_layer
from tests.support.product import Repository, git_server
from tests.support.registry import RunningRegistry

_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
_IMAGE = re.compile(r"registry\.test/([a-z]+)")
_LAST_MODIFIED = "Fri, 14 Jul 2017 02:40:00 GMT"


class Workshop:
    """Names of images are `CASE/WHO:1` at the registry, of base images `CASE/NAME:1`."""

    def __init__(self, registry: RunningRegistry, folder: Path, engine: Engine, files: str, git: str) -> None:
        self.registry = registry
        self.folder = folder
        self.engine = engine
        self._files = files
        self._git = git
        self._blobs: dict[str, bytes] = {}
        self._changes: dict[str, Change] = {}
        self._lock = threading.Lock()
        self._prepared: dict[str, tuple[Path, Options]] = {}
        for name in bases.NAMES:
            bases.push_base(registry.host, name, "shared")

    def ref(self, case: Case, who: str) -> str:
        return f"{self.registry.host}/{case.name}/{who}:1"

    def context(self, case: Case) -> tuple[Path, Options]:
        """The case's context and options, the same for everybody; nobody writes to it."""
        with self._lock:
            if case.name not in self._prepared:
                self._prepared[case.name] = self._prepare(case)
            return self._prepared[case.name]

    def changed_context(self, case: Case, name: str) -> tuple[Path, str]:
        """A copy with one file changed, and the instruction that must see it."""
        context, _ = self.context(case)
        changed = self.folder / "changed" / case.name / name
        shutil.copytree(context, changed, symlinks=True)
        return changed, case.change(changed)

    def build(self, case: Case, who: str, cache_from: str = "", context: Path | None = None) -> Built:
        """Build and push with our engine as `CASE/WHO:1`."""
        own, options = self.context(case)
        return self.engine.build(
            f"{case.name}/{who}",
            [
                *("--push", "--tag", self.ref(case, who)),
                *(("--file", str(own / options.file)) if options.file else ()),
                *as_imagebuild(options),
                *(("--cache-from", cache_from) if cache_from else ()),
                str(context or own),
            ],
        )

    def manifest(self, reference: str) -> dict[str, Any]:
        return self._json(reference, "manifests", reference.rpartition(":")[2])

    def config(self, reference: str) -> dict[str, Any]:
        return self._json(reference, "blobs", self.manifest(reference)["config"]["digest"])

    def layers(self, reference: str) -> list[str]:
        """Digests of the image's layers, lowest first."""
        return [layer["digest"] for layer in self.manifest(reference)["layers"]]

    def changes(self, reference: str) -> list[Change]:
        """What each of the image's layers does."""
        return [self._change(reference, digest) for digest in self.layers(reference)]

    def tree(self, reference: str) -> dict[str, tuple[Node, str]]:
        return final_tree(self.changes(reference))

    def records(self, reference: str) -> tuple[Record, ...]:
        """The image's inline cache, read by our own reader; none if it has none."""
        text: str = self.config(reference).get("moby.buildkit.cache.v0", "")
        return decode_records(base64.b64decode(text), layers=len(self.layers(reference))) if text else ()

    def _prepare(self, case: Case) -> tuple[Path, Options]:
        root = self.folder / "cases" / case.name
        self._serve(case)
        dockerfile = File(self._addressed(case, case.dockerfile))
        write_tree(root / "context", {**case.files, case.file or "Dockerfile": dockerfile})
        secrets = {name: root / f"secret-{name}" for name in case.secrets}
        for name, path in secrets.items():
            path.write_text(case.secrets[name])
        contexts: dict[str, str] = {}
        for number, (name, there) in enumerate(case.contexts.items()):
            if isinstance(there, str):
                contexts[name] = f"docker-image://{bases.push_base(self.registry.host, there, case.name)}"
            else:
                contexts[name] = str(root / f"context-{number}")
                write_tree(Path(contexts[name]), there)
        return root / "context", Options(
            file=case.file,
            target=case.target,
            platform=case.platform,
            arguments=case.arguments,
            labels=case.labels,
            secrets=secrets,
            ssh=self.folder / "agent" if case.ssh else None,
            contexts=contexts,
            add_hosts=case.add_hosts,
            ulimits=case.ulimits,
            shm_size=case.shm_size,
            cgroup_parent=case.cgroup_parent,
            network=case.network,
            allow=case.allow,
        )

    def _addressed(self, case: Case, text: str) -> str:
        """The Dockerfile with real addresses in it."""
        for name in sorted(set(_IMAGE.findall(text))):
            reference = bases.push_base(self.registry.host, name, case.name)
            text = re.sub(rf"registry\.test/{name}\b", reference, text)
        text = text.replace("http://files.test/", f"{self._files}/{case.name}/")
        return text.replace("git://git.test/", f"{self._git}/{case.name}/")

    def _serve(self, case: Case) -> None:
        for name, data in case.served.items():
            place = self.folder / "served" / case.name / (name or "index.html")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data.encode() if isinstance(data, str) else data)
        if case.repository:
            repository = Repository(self.folder / "git" / case.name / "repo.git", "")
            repository.write(case.repository)

    def _change(self, reference: str, digest: str) -> Change:
        with self._lock:
            if digest not in self._changes:
                self._changes[digest] = read_layer(BytesIO(self._get(reference, "blobs", digest)))
            return self._changes[digest]

    def _json(self, reference: str, kind: str, name: str) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self._get(reference, kind, name))
        return value

    def _get(self, reference: str, kind: str, name: str) -> bytes:
        repository = reference.removeprefix(f"{self.registry.host}/").rpartition(":")[0]
        url = f"http://{self.registry.host}/v2/{repository}/{kind}/{name}"
        request = urllib.request.Request(url, headers={"Accept": _MANIFESTS, "User-Agent": "tests"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            data: bytes = answer.read()
            return data


@contextmanager
def opened_workshop(registry: RunningRegistry, folder: Path, runtime: str) -> Iterator[Workshop]:
    """A workshop with its servers: http, git and a socket that could be an SSH agent's."""
    for name in ("served", "git"):
        (folder / name).mkdir()
    with ExitStack() as stack:
        files = stack.enter_context(_file_server(folder / "served"))
        git = stack.enter_context(git_server("127.0.0.1", folder / "git"))
        agent = stack.enter_context(socket.socket(socket.AF_UNIX))
        agent.bind(str(folder / "agent"))
        agent.listen()
        yield Workshop(registry, folder, Engine(runtime, folder / "engine"), files, git)


@contextmanager
def _file_server(folder: Path) -> Iterator[str]:
    """An HTTP server for the folder; everything was last modified at the same old time."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, directory=str(folder), **kwargs)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string() if timestamp is None else _LAST_MODIFIED

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
