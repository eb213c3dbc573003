"""Debian's docker-registry on a free loopback port, with its access log as data.

with running_registry(folder) as registry:
    push(f"{registry.host}/app:1")
    assert ("HEAD", "/v2/app/manifests/1", 200) in [access[:3] for access in registry.requests()]
"""

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.processes import end_process

_NEEDED = {"docker-registry": "docker-registry", "htpasswd": "apache2-utils", "openssl": "openssl"}
_START_SECONDS = 30.0
_MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.manifest.v1",
        "oci.image.index.v1",
        "docker.distribution.manifest.v2",
        "docker.distribution.manifest.list.v2",
    )
)
_LISTENING = re.compile(r"listening on 127\.0\.0\.1:(\d+)")  # with ", tls" behind it where that is on
_ACCESS = re.compile(r'^\S+ - \S+ \[[^]]*\] "([A-Z]+) (\S+) HTTP/[0-9.]+" (\d{3}) \d+ "[^"]*" "([^"]*)"', re.MULTILINE)


class Access(NamedTuple):
    """One answered request. The path has no query; the agent is how the client calls itself."""

    method: str
    path: str
    status: int
    agent: str


def missing_registry() -> str | None:
    """Why no registry can be started here, or None."""
    absent = [(tool, package) for tool, package in _NEEDED.items() if not shutil.which(tool)]
    return "; ".join(f"{tool} is missing: apt-get install {package}" for tool, package in absent) or None


@dataclass(frozen=True)
class RunningRegistry:
    """A registry that listens at `host`. `folder` holds data, log and config."""

    host: str
    folder: Path
    process: "subprocess.Popen[bytes]"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def manifest(self, repository: str, tag: str) -> dict[str, Any]:
        """A manifest or index of any kind, as it lies there."""
        url = f"http://{self.host}/v2/{repository}/manifests/{tag}"
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": _MANIFESTS}), timeout=10) as answer:
            value: dict[str, Any] = json.load(answer)
            return value

    def tags(self, repository: str) -> set[str]:
        """All tags of a repository, none if it does not exist."""
        url = f"http://{self.host}/v2/{repository}/tags/list"
        with suppress(urllib.error.HTTPError), urllib.request.urlopen(url, timeout=10) as answer:
            return set(json.load(answer)["tags"] or ())
        return set()

    def requests(self) -> tuple[Access, ...]:
        """What was asked and answered so far, in order of answers.

        The registry writes a line after the answer has left, so the last one may be a moment late: wait with
        `requests_after` if it matters.
        """
        log = (self.folder / "access.log").read_text()
        return tuple(
            Access(method, target.partition("?")[0], int(status), agent)
            for method, target, status, agent in _ACCESS.findall(log)
        )

    def requests_after(self, mark: int) -> tuple[Access, ...]:
        """The requests since `mark = len(registry.requests())`, complete: a request of our own ends the wait."""
        import http.client

        name, _, port = self.host.partition(":")
        connection = http.client.HTTPConnection(name, int(port), timeout=10)
        path = f"/v2/end-of-log-{time.monotonic_ns()}/tags/list"
        connection.request("GET", path)
        connection.getresponse().read()
        connection.close()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            seen = self.requests()
            if any(access.path == path for access in seen):
                return tuple(access for access in seen[mark:] if "/end-of-log-" not in access.path)
            time.sleep(0.01)
        raise AssertionError("docker-registry logged nothing for 10 s")


@contextmanager
def running_registry(
    folder: Path, *, users: Mapping[str, str] | None = None, tls: bool = False
) -> Iterator[RunningRegistry]:
    """A registry with its data below the folder, which may hold an earlier one's.

    With `users`, basic auth; with `tls`, a certificate that nobody knows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = [
        "version: 0.1",
        "log: {level: info, accesslog: {disabled: false}}",
        "storage:",
        f"  filesystem: {{rootdirectory: {folder / 'data'}}}",
        "  delete: {enabled: true}",
        "  maintenance: {uploadpurging: {enabled: false}}",
        "http: {addr: '127.0.0.1:0', secret: tests}",
    ]
    if users:
        write_htpasswd(folder / "htpasswd", users)
        config += ["auth:", f"  htpasswd: {{realm: tests, path: {folder / 'htpasswd'}}}"]
    if tls:
        write_certificate(folder)
        files = f"certificate: {folder / 'tls.crt'}, key: {folder / 'tls.key'}"
        config[5] = f"http: {{addr: '127.0.0.1:0', secret: tests, tls: {{{files}}}}}"
    (folder / "config.yml").write_text("\n".join(config) + "\n")
    with (folder / "access.log").open("ab") as access, (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")],
            stdin=subprocess.DEVNULL,
            stdout=access,
            stderr=log,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "OTEL_TRACES_EXPORTER": "none"},
        )
    try:
        yield RunningRegistry(
            host=f"127.0.0.1:{_port(process, folder / 'registry.log')}", folder=folder, process=process
        )
    finally:
        end_process(process)


def write_certificate(folder: Path) -> None:
    """A self-signed certificate for 127.0.0.1 with its key: tls.crt and tls.key."""
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(["openssl", "req", "-x509", *kind, *name, *files], check=True, capture_output=True)


def write_htpasswd(file: Path, users: Mapping[str, str]) -> None:
    """An htpasswd file with bcrypt hashes, the only kind that docker-registry takes."""
    lines = []
    for user, password in users.items():
        made = subprocess.run(
            ["htpasswd", "-Bbn", "-C", "4", user, password], check=True, capture_output=True, text=True
        )
        lines.append(made.stdout.strip())
    file.write_text("\n".join(lines) + "\n")


def _port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        found = _LISTENING.search(log.read_text())
        if found:
            return int(found[1])
        if process.poll() is not None:
            break
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise AssertionError(f"docker-registry did not start:\n{log.read_text()[-2000:]}")
