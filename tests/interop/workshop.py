"""One registry, the images that the cases build on, and `imagebuild` at work beside a real builder."""

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import urllib.request
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from imagebuild_engine.core.cache import Record, decode_records
from imagebuild_engine.core.oci import RunConfig

from tests.interop.cases import Case
from tests.support.daemons import Builder
from tests.support.images import PATH, busybox_layer, push_busybox, push_image
from tests.support.program import PROGRAM, environment
from tests.support.registry import RunningRegistry

_MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"

_EMPTY = f"sha256:{hashlib.sha256(bytes(1024)).hexdigest()}"


@dataclass(frozen=True)
class Built:
    """What our engine said of a build."""

    result: dict[str, Any]
    log: str

    @property
    def executed(self) -> list[str]:
        """Steps that ran, as the Dockerfile has them."""
        return [step["instruction"] for step in self.result["steps"] if step["outcome"] != "hit"]


@dataclass
class Workshop:
    """Names of images are `WHO/CASE:TAG` at the registry."""

    registry: RunningRegistry
    folder: Path
    runtime: str
    images: dict[str, str] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.images = push_bases(self.registry.host)

    def context(self, case: Case) -> Path:
        """The case's context, the same for everybody; nobody writes to it."""
        context = self.folder / "contexts" / case.name
        if not context.exists():
            case.write(context, self.images)
        return context

    def changed_context(self, case: Case) -> tuple[Path, str]:
        """A copy with one file changed, and the instruction that must see it."""
        context = self.folder / "changed" / case.name
        shutil.rmtree(context, ignore_errors=True)
        shutil.copytree(self.context(case), context, symlinks=True)
        return context, case.change(context)

    def ref(self, who: str, case: Case, tag: str = "1") -> str:
        return f"{self.registry.host}/{who}/{case.name}:{tag}"

    def ours(self, case: Case) -> str:
        """The image that our engine makes of the case without any cache."""
        reference = self.ref("ours", case)
        if reference not in self._done:
            self.build(self.context(case), reference, case)
            self._done.add(reference)
        return reference

    def theirs(self, name: str, builder: Builder, case: Case) -> str:
        """The image that the builder makes of the case when it knows nothing."""
        reference = self.ref(name, case)
        if reference not in self._done:
            builder.forget()
            builder.build(self.context(case), reference, arguments=case.arguments)
            self._done.add(reference)
        return reference

    def build(self, context: Path, reference: str, case: Case, cache_from: str = "") -> Built:
        """Build and push with our engine."""
        metadata = self.folder / "metadata.json"
        metadata.unlink(missing_ok=True)
        command = [
            PROGRAM,
            *("build", "--progress", "plain", "--push", "--tag", reference, "--metadata-file", str(metadata)),
            *(part for item in case.arguments.items() for part in ("--build-arg", "=".join(item))),
            *(("--cache-from", cache_from) if cache_from else ()),
            str(context),
        ]
        given = environment(self.runtime, self.folder)
        done = subprocess.run(command, env=given, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
        return Built(json.loads(metadata.read_text())["imagebuild.result"], done.stderr)

    def manifest(self, reference: str) -> dict[str, Any]:
        return self._get(reference, "manifests", reference.rpartition(":")[2])

    def layers(self, reference: str) -> list[str]:
        """Digests of the image's layers, lowest first."""
        return [layer["digest"] for layer in self.manifest(reference)["layers"]]

    def diff_ids(self, reference: str) -> list[str]:
        """Digests of what is in the layers. The empty ones are left out: dockerd drops one at the end."""
        diff_ids: list[str] = self._config(reference)["rootfs"]["diff_ids"]
        return [digest for digest in diff_ids if digest != _EMPTY]

    def records(self, reference: str) -> tuple[Record, ...]:
        """The image's inline cache, read by our own reader."""
        text: str = self._config(reference)["moby.buildkit.cache.v0"]
        return decode_records(base64.b64decode(text), layers=len(self.layers(reference)))

    def _config(self, reference: str) -> dict[str, Any]:
        return self._get(reference, "blobs", self.manifest(reference)["config"]["digest"])

    def _get(self, reference: str, kind: str, name: str) -> dict[str, Any]:
        repository = reference.removeprefix(f"{self.registry.host}/").rpartition(":")[0]
        url = f"http://{self.registry.host}/v2/{repository}/{kind}/{name}"
        request = urllib.request.Request(url, headers={"Accept": _MANIFESTS})
        with urllib.request.urlopen(request, timeout=10) as answer:
            value: dict[str, Any] = json.load(answer)
            return value


def push_bases(host: str) -> dict[str, str]:
    """A base with a shell, one with files to copy from, one with ONBUILD triggers."""
    images = {"base": push_busybox(host), "tools": f"{host}/library/tools:1", "onbuild": f"{host}/library/onbuild:1"}
    push_image(images["tools"], [_tools_layer()])
    triggers = ("WORKDIR /app", "COPY app /app", "RUN ls -l /app > /listed")
    push_image(images["onbuild"], [busybox_layer()], RunConfig(env=(PATH,), working_dir="/", on_build=triggers))
    return images


def _tools_layer() -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, mode, data in (
            ("opt", 0o755, None),
            ("opt/there", 0o600, b"there\n"),
            ("opt/tools", 0o750, None),
            ("opt/tools/one", 0o755, b"one\n"),
            ("opt/tools/set", 0o755, None),
            ("opt/tools/set/two", 0o640, b"two\n"),
        ):
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
            info.size, info.mode, info.uid, info.gid = len(data or b""), mode, 7, 8
            tar.addfile(info, BytesIO(data or b""))
    return buffer.getvalue()
