"""The spec's decoding: errors name the field, and nothing of the design is silently ignored."""

from typing import Any

import pytest
from imagebuild_operator.resource import InvalidSpec, attempt_name, build_hash, parse_spec

from tests.support.image_builds import spec_of

OUTPUT = {"image": "registry.example/shop/web:1"}
GIT = {"url": "https://git.example/a.git"}


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"source": {}}, "spec.source: exactly one of git, configMap is needed"),
        ({"source": {"git": GIT, "configMap": {"name": "a"}}}, "spec.source: exactly one"),
        (
            {"source": {"git": {"url": "https://me:secret@git.example/a.git"}}},
            "spec.source.git.url: must not hold credent",
        ),
        ({"source": {"git": {"url": "--upload-pack=evil"}}}, "spec.source.git.url: not an https"),
        ({"source": {"git": {**GIT, "revision": "--help"}}}, "spec.source.git.revision"),
        ({"source": {"git": {**GIT, "submodules": True}}}, "not supported yet: spec.source.git.submodules"),
        ({"source": {"git": {**GIT, "secretRef": {"name": "a"}}}}, "not supported yet: spec.source.git.secretRef"),
        ({"source": {"http": {"url": "https://a"}}}, "not supported yet: spec.source.http"),
        ({"source": {"git": GIT, "contextDir": "../up"}}, "spec.source.contextDir: must stay inside"),
        ({"source": {"git": GIT, "contextDir": "/etc"}}, "spec.source.contextDir: must stay inside"),
        ({"dockerfile": {"path": "a", "inline": "FROM b"}}, "spec.dockerfile: path and inline"),
        ({"dockerfile": {"path": "../Dockerfile"}}, "spec.dockerfile.path"),
        ({"buildArgs": [{"name": "A"}, {"name": "A"}]}, "spec.buildArgs[1].name: A is given twice"),
        ({"buildArgs": [{"name": "A", "valueFrom": {}}]}, "not supported yet: spec.buildArgs"),
        ({"output": {"image": "a/UPPER"}}, "spec.output.image"),
        ({"output": {"image": f"a/b@sha256:{'a' * 64}"}}, "spec.output.image: must not have a digest"),
        ({"output": {**OUTPUT, "additionalTags": ["a b"]}}, "spec.output.additionalTags[0]: not a tag"),
        ({"output": {**OUTPUT, "labels": {}}}, "not supported yet: spec.output.labels"),
        ({"cache": {"from": [{}]}}, "spec.cache.from[0]: exactly one of"),
        ({"cache": {"from": [{"previous": {}, "image": "a"}]}}, "spec.cache.from[0]: exactly one of"),
        ({"cache": {"from": [{"image": "a"}] * 17}}, "spec.cache.from: more than 16"),
        ({"cache": {"exportOnFailure": True}}, "not supported yet: spec.cache.exportOnFailure"),
        ({"cache": {"to": {"registry": {}}}}, "spec.cache.to.registry"),
        ({"cache": {"to": {"registry": {"ref": "a/UPPER"}}}}, "spec.cache.to.registry.ref"),
        ({"cache": {"to": {"registry": {"ref": f"a@sha256:{'a' * 64}"}}}}, "spec.cache.to.registry.ref: must not have"),
        ({"cache": {"to": {"registry": {"ref": "a", "mode": "max"}}}}, "spec.cache.to.registry.mode"),
        ({"cache": {"shared": {"ref": "registry.example:5000/a:1"}}}, "spec.cache.shared.ref: must be a repository"),
        ({"cache": {"shared": {"ref": f"a@sha256:{'a' * 64}"}}}, "spec.cache.shared.ref: must be a repository"),
        ({"cache": {"shared": {"ref": "a", "mode": "WriteOnly"}}}, "spec.cache.shared.mode"),
        ({"cache": {"onImportError": "Retry"}}, "spec.cache.onImportError"),
        ({"cache": {"onExportError": "fail"}}, "spec.cache.onExportError"),
        ({"cache": {"importTimeout": "0s"}}, "spec.cache.importTimeout: must be between 1s and 10m"),
        ({"cache": {"importTimeout": "10m1s"}}, "spec.cache.importTimeout: must be between 1s and 10m"),
        ({"cache": {"maxAge": "59s"}}, "spec.cache.maxAge: must be between 1m"),
        ({"cache": {"maxAge": "7d"}}, 'spec.cache.maxAge: "7d" is not a duration'),
        ({"cache": {"disabled": "yes"}}, "spec.cache.disabled"),
        ({"cache": {"noCacheStages": ["build", "a b"]}}, "spec.cache.noCacheStages[1]: not the name of a stage"),
        ({"cache": {"noCacheStages": ["a"] * 33}}, "spec.cache.noCacheStages: more than 32"),
        ({"cache": {"trust": {}}}, "spec.cache.trust"),
        ({"cache": {"trust": {"repositories": []}}}, "spec.cache.trust.repositories: must have between 1 and 32"),
        ({"cache": {"trust": {"repositories": ["a/*", "b c"]}}}, "spec.cache.trust.repositories[1]: not a pattern"),
        ({"timeout": "soon"}, 'spec.timeout: "soon" is not a duration'),
        ({"timeout": "1s"}, "spec.timeout: must be between"),
        ({"pod": {"securityProfile": "Root"}}, "spec.pod.securityProfile"),
        ({"pod": {"tolerations": []}}, "not supported yet: spec.pod.tolerations"),
        ({"platforms": ["linux/arm64"]}, "not supported yet: spec.platforms"),
        ({"nonsense": 1}, "spec.nonsense: there is no such field"),
        ({"suspend": "yes"}, "spec.suspend"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(members: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidSpec) as raised:
        parse_spec(spec_of(**members))
    assert text in str(raised.value)


def test_error_never_quotes_the_password_of_a_url() -> None:
    with pytest.raises(InvalidSpec) as raised:
        parse_spec(spec_of(source={"git": {"url": "https://me:hunter2@git.example/a.git"}}))
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("value", [None, [], "text", {}, {"source": None}])
def test_anything_else_is_an_invalid_spec_and_no_crash(value: object) -> None:
    with pytest.raises(InvalidSpec):
        parse_spec(value)


def test_only_build_relevant_fields_change_the_hash() -> None:
    def of(**members: Any) -> str:
        return build_hash(parse_spec(spec_of(**members)))

    base = of()
    assert of(timeout="1h") == base
    assert of(pod={"resources": {"limits": {"memory": "1Gi"}}}) == base
    assert of(cache={"from": []}) == base
    assert of(cache={"disabled": True, "noCacheStages": ["a"], "maxAge": "1h"}) == base
    assert of(cache={"onImportError": "Fail", "trust": {"repositories": ["**"]}}) == base
    assert of(cache={"to": {"attached": False, "registry": {"ref": "a"}}, "shared": {"ref": "b"}}) == base
    assert of(suspend=True) == base
    assert of(dockerfile={"path": "Dockerfile"}) == base
    assert of(output={"image": "registry.example/shop/web:1", "insecure": False}) == base
    changed = [
        of(target="a"),
        of(buildArgs=[{"name": "A", "value": "1"}]),
        of(buildArgs=[{"name": "A", "value": "2"}]),
        of(dockerfile={"inline": "FROM scratch"}),
        of(rebuild={"token": "2"}),
        of(output={"image": "registry.example/shop/web:2"}),
        of(source={"git": {"url": "https://git.example/shop/web.git", "revision": "other"}}),
    ]
    assert len({base, *changed}) == len(changed) + 1


def test_order_of_build_arguments_does_not_change_the_hash() -> None:
    arguments = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    forwards, backwards = spec_of(buildArgs=arguments), spec_of(buildArgs=arguments[::-1])
    assert build_hash(parse_spec(forwards)) == build_hash(parse_spec(backwards))


def test_pod_names_are_short_distinct_and_without_dots() -> None:
    names = {attempt_name(name, 1, 1) for name in ("web", "web-1", "w" * 200, "w" * 199, "web.a", "web-a")}
    assert len(names) == 6
    assert all(len(name) <= 63 and "." not in name for name in names)
    assert attempt_name("web", 2, 3) == "web-2-3"
