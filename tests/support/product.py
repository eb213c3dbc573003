"""The product on a cluster: its image built by our own engine, the operator installed by the chart."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from image.build import build
from tests.cluster import tools
from tests.cluster.access import Access

T = TypeVar("T")
ROOT = Path(__file__).parent.parent.parent
NAMESPACE = "imagebuild-system"
REPOSITORY = "imagebuild/imagebuild"


class Timeout(AssertionError):
    """Something did not happen in time; the text says what was seen last."""


def build_image(access: Access) -> str:
    """Build and push the product's image with our own engine; its pinned reference. A second call is a full hit."""
    reference = f"{access.registry}/{REPOSITORY}:dev"
    options = ["--progress", "plain", "--push", "--tag", reference, "--cache-from", reference]
    base = f"{access.registry}/library/debian-python:12"
    done = build(base, [*options, "--insecure-registry", access.registry], quiet=True)
    if done.returncode:
        raise RuntimeError(f"the product's image cannot be built:\n{done.stderr[-4000:]}")
    return f"{access.registry}/{REPOSITORY}@{done.stdout.strip()}"


def install(access: Access, image: str) -> None:
    """`helm upgrade --install` of the chart, and wait until the operator is ready."""
    name, _, digest = image.partition("@")
    settings = {
        "image.repository": name,
        "image.digest": digest,
        "builder.userNamespaces": "false",
    }
    values = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    helm(access, "upgrade", "--install", "imagebuild", str(ROOT / "charts" / "imagebuild"), "--namespace", NAMESPACE,
         "--create-namespace", "--wait", "--timeout", "120s", *values)  # fmt: skip


@cache
def program(name: str) -> str:
    """The path of a Go tool, looked up once: each look asks Go for its version."""
    return str(tools.path(name))


def helm(access: Access, *arguments: str) -> str:
    command = [program("helm"), *arguments]
    done = subprocess.run(command, check=False, env=os.environ | access.environment(), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"helm {' '.join(arguments[:2])} failed: {done.stderr[-2000:]}")
    return done.stdout


@dataclass
class Kubectl:
    """kubectl in one namespace."""

    access: Access
    namespace: str

    def command(self, *arguments: str) -> list[str]:
        kubeconfig = str(self.access.kubeconfig)
        return [program("kubectl"), "--kubeconfig", kubeconfig, "--namespace", self.namespace, *arguments]

    def run(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        command = self.command(*arguments)
        done = subprocess.run(command, check=False, input=stdin, capture_output=True, text=True, timeout=120)
        if check and done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)} failed: {done.stderr}")
        return done.stdout

    @contextmanager
    def watching(self, kind: str, name: str, seconds: float = 300) -> Iterator[Iterator[str]]:
        """The lines of `kubectl get KIND NAME --watch`, which end when the time is over."""
        command = self.command("get", kind, name, "--watch", f"--request-timeout={seconds:.0f}s")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield (line.rstrip() for line in process.stdout)
            finally:
                process.terminate()

    def apply(self, *objects: Mapping[str, Any]) -> None:
        self.run("apply", "-f", "-", stdin="\n---\n".join(json.dumps(item) for item in objects))

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        text = self.run("get", kind, name, "--ignore-not-found", "-o", "json")
        value: dict[str, Any] | None = json.loads(text) if text.strip() else None
        return value

    def items(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        text = self.run("get", kind, "-o", "json", *(("-l", selector) if selector else ()))
        items: list[dict[str, Any]] = json.loads(text)["items"]
        return items

    def counters(self) -> dict[str, float]:
        """The operator's metrics as Prometheus would read them: name with labels → value."""
        text = self.run("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/services/imagebuild:metrics/proxy/metrics")
        lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith("imagebuild_")]
        return {name: float(value) for name, _, value in lines}

    def push_secret(self, registry: str, user: str, password: str) -> None:
        """The Secret `push`, of docker's kind."""
        self.run(
            *("create", "secret", "docker-registry", "push", f"--docker-server={registry}"),
            *(f"--docker-username={user}", f"--docker-password={password}"),
        )

    def status(self, name: str) -> dict[str, Any]:
        found = self.get("imagebuild", name)
        status: dict[str, Any] = (found or {}).get("status", {})
        return status

    def wait(
        self, name: str, what: str, ready: Callable[[dict[str, Any]], bool], seconds: float = 120
    ) -> dict[str, Any]:
        """The status as soon as `ready` says so."""
        return until(lambda: self.status(name), ready, f"{name}: {what}", seconds)

    def finished(self, name: str, revision: int = 1, seconds: float = 120) -> dict[str, Any]:
        """The status when the revision has ended, well or not."""

        def ended(status: dict[str, Any]) -> bool:
            done = status.get("phase") in ("Succeeded", "Failed", "Cancelled")
            return bool(done and status.get("revision", 0) >= revision)

        return self.wait(name, f"revision {revision} has ended", ended, seconds)

    def pods(self, name: str) -> list[dict[str, Any]]:
        """The builder pods of an ImageBuild that exist now."""
        pods = self.items("pods")
        return [
            pod for pod in pods if any(owner["name"] == name for owner in pod["metadata"].get("ownerReferences", []))
        ]


def until(ask: Callable[[], T], good: Callable[[T], bool], what: str, seconds: float = 60) -> T:
    """Poll until the answer is good."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if good(answer):
            return answer
        if time.monotonic() > deadline:
            raise Timeout(f"{what}: not within {seconds:.0f} s; last seen: {json.dumps(answer, default=str)[:3000]}")
        time.sleep(0.2)


@contextmanager
def git_server(host: str, folder: Path) -> Iterator[str]:
    """`git daemon` for the repositories in the folder; the URL below which they are."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    command = [
        "git",
        "daemon",
        "--export-all",
        f"--listen={host}",
        f"--port={port}",
        f"--base-path={folder}",
        str(folder),
    ]
    with (folder / "git-daemon.log").open("wb") as log:
        process = subprocess.Popen([*command, str(folder)], stderr=log, start_new_session=True)
    try:
        for _ in range(100):
            with socket.socket() as client:
                if client.connect_ex((host, port)) == 0:
                    break
            time.sleep(0.05)
        yield f"git://{host}:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait()


@dataclass
class Repository:
    """A Git repository that tests write to."""

    path: Path
    url: str

    def write(self, files: Mapping[str, str], message: str = "change") -> str:
        """Commit the files; the commit."""
        if not (self.path / ".git").exists():
            self.path.mkdir(parents=True, exist_ok=True)
            self._git("init", "--quiet", "--initial-branch=main")
        for name, text in files.items():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", message)
        return self._git("rev-parse", "HEAD")

    def _git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=tests", "-c", "user.email=tests@example.com", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(self.path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
