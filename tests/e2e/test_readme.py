"""Every command of the README is run as it stands there, with our own registry, repository and namespace in it."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cluster import images, tools
from tests.cluster.access import Access
from tests.cluster.layout import Registry
from tests.support.builds import NEEDS_NO_BASE
from tests.support.manifests import manifests
from tests.support.product import NAMESPACE, Kubectl, Repository, program
from tests.support.registry import running_registry

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PLACEHOLDER = "registry.example"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    lines = [line.partition("  #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line]


def starting(*beginnings: str) -> list[str]:
    return [line for line in commands() if line.startswith(beginnings)]


RUN_BY_CI = {"make demo", "make test", "make install"}
"""`make demo` is a test of its own; the other two are how this test came to run."""
INSTALLING = ("make image", "helm ")
WITH_KUBECTL = ("kubectl ",)
BY_HAND = (".venv/bin/imagebuild ",)


def test_no_command_of_the_readme_is_left_out() -> None:
    known = RUN_BY_CI | set(starting(*INSTALLING, *WITH_KUBECTL, *BY_HAND))
    assert set(commands()) == known


def test_every_make_target_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"make ([a-z][a-z-]*)", README)) - {"it"}
    known = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named <= known


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_smallest_manifest_is_the_example() -> None:
    (shown,) = blocks("yaml")
    assert shown == (ROOT / "examples" / "minimal.yaml").read_text()


def shell(command: str, access: Access) -> str:
    environment = os.environ | access.environment()
    path = ":".join([*(str(Path(program(name)).parent) for name in ("helm", "kubectl")), environment["PATH"]])
    done = subprocess.run(
        shlex.split(command), cwd=ROOT, env=environment | {"PATH": path}, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_installing_the_image_and_the_chart(installed: Access) -> None:
    for line in starting(*INSTALLING):
        command = line.replace(PLACEHOLDER, installed.registry)
        if command.startswith("make image"):
            command += " INSECURE=1"
        shell(command, installed)
    system = Kubectl(installed, NAMESPACE)
    system.run("rollout", "status", "deployment/imagebuild", "--timeout=120s")
    (pod,) = [pod for pod in system.items("pods") if not pod["metadata"].get("deletionTimestamp")]
    assert pod["spec"]["containers"][0]["image"] == f"{installed.registry}/team/imagebuild:0.1.0"


def test_the_smallest_manifest_builds_an_image(
    private: Access, kubectl: Kubectl, repository: Repository, tmp_path: Path
) -> None:
    repository.write(NEEDS_NO_BASE)
    file = tmp_path / "minimal.yaml"
    manifest = yaml.safe_load((ROOT / "examples" / "minimal.yaml").read_text())
    manifest["spec"]["source"]["git"]["url"] = repository.url
    output = manifest["spec"]["output"]
    output["image"] = output["image"].replace(PLACEHOLDER, f"{private.private_registry}/{kubectl.namespace}")
    output["insecure"] = True  # the test's registry has no TLS
    file.write_text(json.dumps(manifest))
    replaced = {
        "--docker-server=registry.example": f"--docker-server={private.private_registry}",
        "--docker-username=me": f"--docker-username={private.private_user}",
        "--docker-password=secret": f"--docker-password={private.private_password}",
        "examples/minimal.yaml": str(file),
    }
    said = ""
    for line in starting(*WITH_KUBECTL):
        words = [replaced.get(word, word) for word in shlex.split(line)[1:]]
        said += kubectl.run(*words)
    assert re.search(r"^web\s+Succeeded\s+ImagePushed\s+0/1\s+sha256:", said, re.MULTILINE)
    assert "ImagePushed" in said
    assert "Images that carry cached steps, asked in this order" in said


def test_the_manifests_that_are_shown_are_accepted(kubectl: Kubectl) -> None:
    for _, text in manifests():
        kubectl.run("apply", "--dry-run=server", "-f", "-", stdin=text)


def test_building_by_hand(installed: Access, tmp_path: Path) -> None:
    assert shutil.which("docker-registry"), "make cluster-up installs docker-registry"
    base = images.debian_python()
    runtime = {"IMAGEBUILD_RUNTIME": str(tools.path("runc"))}
    with running_registry(tmp_path) as registry:
        Registry(address=registry.host).push(base.make(), "debian-python", "12")
        said = []
        for line in starting(*BY_HAND):
            words = shlex.split(line.replace(PLACEHOLDER, registry.host))
            done = subprocess.run(
                words, cwd=ROOT, env=os.environ | runtime, check=False, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{line}\n{done.stderr[-3000:]}"
            said.append(done.stdout.strip())
    doctor, first, plan, second, explained, records = said
    assert "executor: oci" in doctor
    assert ("HIT" in plan, "MISS" in plan) == (True, False), plan
    assert first == second, "the second build is a full hit and has the same digest"
    # The attached cache tells of the build that made the image, which is the first one.
    assert ("MISS" in explained, "HIT" in explained) == (True, False), explained
    assert "records" in records
