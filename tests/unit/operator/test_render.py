"""Builder pods: golden files by profile, and the rules of the Pod Security Standards checked on what is rendered.

`IMAGEBUILD_UPDATE_GOLDEN=1` writes the golden files anew.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from imagebuild_engine.contract import decode_request, encode_request
from imagebuild_operator.render import BuilderOptions, SecurityOptions, build_request, builder_pod, request_config_map
from imagebuild_operator.resource import Cache, Identity, Import, Profile, Status, parse_spec

from tests.support.image_builds import spec_of

GOLDEN = Path(__file__).parents[2] / "golden" / "pods"
ME = Identity(namespace="shop", name="web", uid="11111111-2222-3333-4444-555555555555")
FULL = spec_of(
    output={"image": "registry.example/shop/web:1", "additionalTags": ["latest"], "pushSecretRef": {"name": "push"}},
    timeout="15m",
    pod={
        "resources": {"requests": {"cpu": "500m"}, "limits": {"memory": "2Gi"}},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
    },
)


def rendered(profile: Profile, spec: dict[str, Any] = FULL, **security: Any) -> dict[str, Any]:
    options = BuilderOptions(image="imagebuild:1", default_profile=profile, security=SecurityOptions(**security))
    return builder_pod(ME, parse_spec(spec), 2, 1, options)


@pytest.mark.parametrize(
    ("name", "profile", "security"),
    [
        ("restricted", Profile.RESTRICTED, {}),
        ("restricted-seccomp", Profile.RESTRICTED, {"seccomp_localhost": "imagebuild.json"}),
        ("user-namespace", Profile.USER_NAMESPACE, {}),
        ("user-namespace-seccomp", Profile.USER_NAMESPACE, {"seccomp_localhost": "imagebuild.json"}),
        ("baseline", Profile.BASELINE, {}),
        ("baseline-user-namespaces", Profile.BASELINE, {"user_namespaces": True}),
        ("privileged", Profile.PRIVILEGED, {}),
    ],
)
def test_pod_is_the_golden_one(name: str, profile: Profile, security: dict[str, Any]) -> None:
    text = json.dumps(rendered(profile, **security), indent=2, sort_keys=True) + "\n"
    path = GOLDEN / f"{name}.json"
    if os.environ.get("IMAGEBUILD_UPDATE_GOLDEN") == "1":
        path.write_text(text)
    assert text == path.read_text()


def baseline_problems(pod: dict[str, Any]) -> list[str]:
    """Kubernetes' Pod Security Standards, level baseline, as far as these pods could break it."""
    spec, problems = pod["spec"], []
    default = {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }  # fmt: skip
    problems += [key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    problems += [volume["name"] for volume in spec["volumes"] if "hostPath" in volume]
    for container in spec["containers"]:
        context = container["securityContext"]
        seccomp = (context.get("seccompProfile") or spec["securityContext"].get("seccompProfile") or {}).get("type")
        if context.get("privileged"):
            problems.append("privileged")
        if not set(context.get("capabilities", {}).get("add", ())) <= default:
            problems.append("capabilities")
        if seccomp == "Unconfined":
            problems.append("seccomp")
        # Relaxed by Kubernetes for pods in a user namespace.
        if context.get("procMount", "Default") != "Default" and spec.get("hostUsers") is not False:
            problems.append("procMount")
    return problems


def restricted_problems(pod: dict[str, Any]) -> list[str]:
    spec, problems = pod["spec"], baseline_problems(pod)
    for container in spec["containers"]:
        context = container["securityContext"]
        if context.get("allowPrivilegeEscalation") is not False:
            problems.append("allowPrivilegeEscalation")
        if context.get("capabilities", {}).get("drop") != ["ALL"]:
            problems.append("drop")
        if set(context.get("capabilities", {}).get("add", ())) - {"NET_BIND_SERVICE"}:
            problems.append("add")
        if not context.get("runAsNonRoot") or not context.get("runAsUser"):
            problems.append("root")
        if spec["securityContext"].get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
            problems.append("seccomp")
    return problems


@pytest.mark.parametrize("seccomp", ["", "imagebuild.json"])
@pytest.mark.parametrize("user_namespaces", [False, True])
def test_profiles_are_admitted_where_the_documents_say(seccomp: str, user_namespaces: bool) -> None:
    options = {"seccomp_localhost": seccomp, "user_namespaces": user_namespaces}
    assert restricted_problems(rendered(Profile.RESTRICTED, **options)) == []
    assert baseline_problems(rendered(Profile.USER_NAMESPACE, **options)) == []
    assert baseline_problems(rendered(Profile.BASELINE, **options)) == []
    assert restricted_problems(rendered(Profile.BASELINE, **options)) != []
    assert baseline_problems(rendered(Profile.PRIVILEGED, **options)) == ["privileged"]


@pytest.mark.parametrize("profile", Profile)
def test_no_builder_pod_has_an_api_token_or_restarts(profile: Profile) -> None:
    pod = rendered(profile)
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["spec"]["activeDeadlineSeconds"] == 15 * 60 + 120
    assert pod["metadata"]["ownerReferences"][0]["uid"] == ME.uid


def test_a_source_from_a_config_map_is_mounted_and_named_in_the_request() -> None:
    value = spec_of(source={"configMap": {"name": "files"}})
    volumes = {volume["name"]: volume for volume in rendered(Profile.BASELINE, value)["spec"]["volumes"]}
    assert volumes["context"]["configMap"] == {"name": "files"}
    request = build_request(parse_spec(value), Status())
    assert request.source.directory
    assert request.source.directory.dereference


def test_request_survives_the_wire_and_asks_only_sources_that_were_found() -> None:
    imports = (Import(from_="imagebuild", outcome="not_found"), Import(from_="image", ref="docker.io/library/a:1"))
    value = spec_of(
        output={"image": "localhost:5000/a:1", "additionalTags": ["2"], "insecure": True},
        buildArgs=[{"name": "A", "value": "1"}],
        dockerfile={"inline": "FROM scratch\n"},
        cache={"to": {"inline": False, "attached": False}},
    )
    request = build_request(parse_spec(value), Status(cache=Cache(imports=imports)))
    assert decode_request(encode_request(request)) == request
    assert [one.ref for one in request.cache_from] == ["docker.io/library/a:1"]
    assert request.output.images == ("localhost:5000/a:1", "localhost:5000/a:2")
    assert request.insecure_registries == ("localhost:5000",)
    assert request.timeout_seconds == 1800
    assert not request.inline_cache
    assert (request.cache_to, request.no_cache, request.cache_trust, request.fail_on_import_error) == (
        (),
        False,
        None,
        False,
    )
    data = request_config_map(ME, 1, 1, request)["data"]["request.json"]
    assert decode_request(data.encode()) == request


def test_the_cache_of_a_spec_is_that_of_the_request() -> None:
    value = spec_of(
        cache={
            "to": {"registry": {"ref": "registry.example/shop/cache"}},
            "shared": {"ref": "registry.example/team/steps"},
            "onImportError": "Fail",
            "onExportError": "Fail",
            "importTimeout": "1m30s",
            "maxAge": "168h",
            "noCacheStages": ["test"],
            "trust": {"repositories": ["registry.example/**"]},
        }
    )
    imports = (
        Import(from_="image", ref="docker.io/library/a:1", outcome="untrusted"),
        Import(from_="shared", ref="registry.example/team/steps"),
    )
    request = build_request(parse_spec(value), Status(cache=Cache(imports=imports)))
    assert decode_request(encode_request(request)) == request
    assert [(one.kind, one.type, one.ref) for one in request.cache_from] == [
        ("shared", "steps", "registry.example/team/steps")
    ]
    assert [(one.type, one.ref, one.mode, one.ignore_error) for one in request.cache_to] == [
        ("attached", "", "max", False),
        ("registry", "registry.example/shop/cache:latest", "max", False),
        ("steps", "registry.example/team/steps", "max", False),
    ]
    assert (request.cache_import_timeout_seconds, request.cache_max_age_seconds) == (90.0, 604800.0)
    assert (request.no_cache_stages, request.cache_trust) == (("test",), ("registry.example/**",))
    assert request.fail_on_import_error


@pytest.mark.parametrize(
    ("cache", "types"),
    [
        ({}, ["attached"]),
        ({"to": {"attached": False}}, []),
        ({"shared": {"ref": "a/b", "mode": "ReadOnly"}}, ["attached"]),
        ({"to": {"attached": False, "registry": {"ref": "a/b:c", "mode": "Min"}}}, ["registry"]),
        ({"disabled": True}, ["attached"]),
    ],
)
def test_each_cache_that_is_written_can_be_switched_off(cache: dict[str, Any], types: list[str]) -> None:
    request = build_request(parse_spec(spec_of(cache=cache)), Status())
    assert [one.type for one in request.cache_to] == types
    assert all(one.ignore_error for one in request.cache_to)
    assert request.no_cache is cache.get("disabled", False)
