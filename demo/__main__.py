"""The demo from top to bottom. It needs root and Debian; `make demo` installs everything else."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import ready
from tests.cluster.access import Access
from tests.cluster.daemons import ClusterError
from tests.support.product import NAMESPACE, Kubectl, Repository, Timeout, build_image, git_server, install, until

APP = Path(__file__).parent / "app"
DEMO = "demo"
_COLOURS = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def main() -> int:
    started = time.monotonic()
    try:
        access = _prepare()
        with (
            tempfile.TemporaryDirectory(prefix="imagebuild-demo-") as folder,
            git_server(access.host, Path(folder)) as url,
        ):
            _show(access, Repository(Path(folder) / "shop.git", f"{url}/shop.git/.git"))
    except (ClusterError, RuntimeError, Timeout, OSError, subprocess.SubprocessError) as error:
        print(f"\nthe demo stopped: {error}", file=sys.stderr)
        return 1
    _head(f"That was all, in {time.monotonic() - started:.0f} s. To go on by hand:")
    print("""  eval "$(python3 -m tests.cluster env)"           # KUBECONFIG and PATH for kubectl and helm
  kubectl -n demo get imagebuilds -o wide
  kubectl -n demo describe imagebuild shop-2
  kubectl -n demo get imagebuild shop-2 -o jsonpath='{.status.cache}'
  .venv/bin/imagebuild cache inspect --insecure-registry $IMAGEBUILD_TEST_REGISTRY $IMAGEBUILD_TEST_REGISTRY/demo/shop:2
  make cluster-down                                # nothing of it is left""")
    return 0


def _prepare() -> Access:
    """Cluster, image, operator: each is there already the second time."""
    _head("A Kubernetes cluster on this machine")
    access = ready(None)
    kubectl = Kubectl(access, "default")
    print(kubectl.run("get", "nodes", "-o", "wide").rstrip())
    _head("The image of imagebuild, built by imagebuild itself")
    started = time.monotonic()
    image = build_image(access)
    print(f"{image}  ({time.monotonic() - started:.1f} s)")
    _head("The operator, installed with Helm")
    install(access, image)
    print(Kubectl(access, NAMESPACE).run("get", "deployments,pods").rstrip())
    return access


def _show(access: Access, repository: Repository) -> None:
    default = Kubectl(access, "default")
    # The shop of the last time would take its half minute to stop.
    default.run("delete", "pods", "--all", "--namespace", DEMO, "--grace-period=1")
    default.run("delete", "namespace", DEMO, "--ignore-not-found", "--wait=true")
    default.run("create", "namespace", DEMO)
    kubectl = Kubectl(access, DEMO)
    until(lambda: kubectl.get("serviceaccount", "default"), bool, "the namespace's service account")

    _head("An application in a Git repository")
    files = {str(path.relative_to(APP)): path.read_text() for path in sorted(APP.rglob("*")) if path.is_file()}
    repository.write(files, "the shop")
    print(files["Dockerfile"])
    before = _metrics(kubectl)
    first = _build(access, kubectl, repository, 1, [])

    _head("One line is changed and committed")
    repository.write({"banner.txt": "Welcome to the shop, now with free delivery\n"}, "a friendlier banner")
    subprocess.run(["git", "-C", str(repository.path), "--no-pager", "show", "--stat", "--format=%h %s"], check=True)
    second = _build(access, kubectl, repository, 2, [{"imageBuildRef": {"name": "shop-1"}}])

    _head("The image runs")
    kubectl.run("run", "shop", f"--image={second['image']['ref']}", "--restart=Never")
    print(
        until(lambda: kubectl.run("logs", "shop", check=False), lambda text: "Welcome" in text, "the shop's greeting"),
        end="",
    )

    _head("What Prometheus sees")
    after = _metrics(kubectl)
    for name in sorted(after):
        if after[name] != before.get(name, 0):
            print(f"  {name:<64} {before.get(name, 0):>10.0f} -> {after[name]:.0f}")

    _head("The difference")
    one, two = (status["timings"].get("total", 0.0) for status in (first, second))
    print(f"  first build   {one:6.1f} s   {first['cache']['summary']} steps from the cache")
    print(f"  second build  {two:6.1f} s   {second['cache']['summary']} steps from the cache, {one - two:.1f} s saved")


def _build(access: Access, kubectl: Kubectl, repository: Repository, number: int, cache: list[Any]) -> dict[str, Any]:
    name = f"shop-{number}"
    manifest = {
        "apiVersion": "imagebuild.dev/v1alpha1",
        "kind": "ImageBuild",
        "metadata": {"name": name},
        "spec": {
            "source": {"git": {"url": repository.url, "revision": "main"}},
            "buildArgs": [{"name": "BASE", "value": f"{access.registry}/library/debian-python:12"}],
            "output": {"image": f"{access.registry}/demo/shop:{number}", "insecure": True},
            "cache": {"from": cache},
        },
    }
    _head(f"kubectl apply: ImageBuild {name}")
    print(yaml.safe_dump(manifest, sort_keys=False).rstrip(), end="\n\n")
    kubectl.apply(manifest)
    _watch(kubectl, name)
    status = kubectl.finished(name, seconds=300)
    (pod,) = kubectl.pods(name)
    log = kubectl.run("logs", pod["metadata"]["name"])
    if status["phase"] != "Succeeded":
        raise RuntimeError(f"{name} failed: {json.dumps(status.get('failure'), indent=2)}\n{log}")
    print("\n  the builder's steps:")
    for line in _steps(log):
        print(f"    {line}")
    if miss := status["cache"].get("firstMiss"):
        why = f"{miss['reason']} {miss.get('detail', '')}".rstrip()
        print(f"\n  why the first of them ran, in status.cache.firstMiss: {why}")
        if against := miss.get("comparedWith"):
            print(f"    compared with {against}")
    return status


def _watch(kubectl: Kubectl, name: str) -> None:
    """The rows of `kubectl get imagebuild NAME --watch` until the build has ended, each only once."""
    shown = ""
    with kubectl.watching("imagebuild", name) as rows:
        for row in rows:
            if row.split()[:-1] != shown.split()[:-1]:
                print(row, flush=True)
            shown = row
            if re.search(r" (Succeeded|Failed|Cancelled) ", row):
                return


def _steps(log: str) -> list[str]:
    """One line for each step: what it is, and whether it came from the cache."""
    texts: dict[int, str] = {}
    outcomes: dict[int, str] = {}
    for line in log.splitlines():
        if found := re.match(r"#(\d+) (CACHED|DONE)(.*)", line):
            outcomes[int(found[1])] = _paint("CACHED", "36") if found[2] == "CACHED" else f"ran{found[3]:>7}"
        elif found := re.match(r"#(\d+) (\[.*)", line):
            texts[int(found[1])] = found[2]
    return [f"{outcomes.get(number, ''):<10} {texts[number][:100]}" for number in sorted(texts)]


def _metrics(kubectl: Kubectl) -> dict[str, float]:
    """The operator's counters of builds and cache, without the histograms' buckets."""
    wanted = re.compile(r"imagebuild_(builds_total|attempts_total|cache_\w+_total)")
    return {name: value for name, value in kubectl.counters().items() if wanted.match(name)}


def _head(text: str) -> None:
    print(f"\n{_paint('==> ' + text, '1')}", flush=True)


def _paint(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if _COLOURS else text


if __name__ == "__main__":
    sys.exit(main())
