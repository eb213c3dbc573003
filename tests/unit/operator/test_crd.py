"""The CRD's schema and the operator's own reading of the spec say the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import yaml
from imagebuild_operator.resource import Spec, Status
from imagebuild_operator.resource.spec import NOT_YET

ROOT = Path(__file__).parents[3]
CRD = ROOT / "crds" / "imagebuild.yaml"
UNSUPPORTED = "Not supported yet."


def schema() -> dict[str, Any]:
    (version,) = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]
    return found


def test_the_chart_ships_the_same_crd() -> None:
    assert (ROOT / "charts" / "imagebuild" / "crds" / "imagebuild.yaml").read_text() == CRD.read_text()


def struct_of(annotation: Any) -> type[msgspec.Struct] | None:
    """The struct in an annotation such as `tuple[Attempt, ...]` or `Image | None`."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    return next((found for part in get_args(annotation) if (found := struct_of(part))), None)


def members(struct: type[msgspec.Struct], path: str = "") -> Iterator[tuple[str, msgspec.structs.FieldInfo]]:
    for field in msgspec.structs.fields(struct):
        here = f"{path}.{field.encode_name}"
        yield here, field
        inner = struct_of(field.type)
        if inner is not None:
            yield from members(inner, here)


def properties(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    node = node.get("items", node)
    for name, found in node.get("properties", {}).items():
        yield f"{path}.{name}", found
        yield from properties(found, f"{path}.{name}")


def test_the_schema_has_each_field_of_the_spec_and_refuses_every_other() -> None:
    known = {path for path, _ in members(Spec)}
    offered = {path for path, node in properties(schema()["spec"]) if node.get("description") != UNSUPPORTED}
    assert offered == known


def test_the_schema_has_each_field_of_the_status() -> None:
    assert {path for path, _ in properties(schema()["status"])} == {path for path, _ in members(Status)}


def nodes(node: dict[str, Any], path: str = "spec") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    inner = node.get("items", node)
    if inner is not node:
        yield from nodes(inner, f"{path}[]")
        return
    for name, found in node.get("properties", {}).items():
        yield from nodes(found, f"{path}.{name}")


def test_what_is_not_supported_yet_is_refused_by_a_rule_that_names_it() -> None:
    refused, rules = set(), set()
    for path, node in nodes(schema()["spec"]):
        if node.get("description") == UNSUPPORTED and not path.endswith("[]"):
            refused.add(f"not supported yet: {path}")
        rules |= {rule["message"] for rule in node.get("x-kubernetes-validations", ())}
    assert refused
    assert refused == {rule for rule in rules if rule.startswith("not supported yet")}


def test_the_operator_knows_the_same_fields_as_not_supported_yet() -> None:
    names = {
        path.rpartition(".")[2] for path, node in nodes(schema()["spec"]) if node.get("description") == UNSUPPORTED
    }
    names = {name for name in names if not name.endswith("[]")}
    assert names == NOT_YET


@pytest.mark.parametrize("part", ["spec", "status"])
def test_everything_is_described_and_bounded(part: str) -> None:
    for path, node in nodes(schema()[part], part):
        assert node.get("description"), path
        match node.get("type"):
            case "string":
                assert "maxLength" in node or "enum" in node or node.get("format") == "date-time", path
            case "array":
                assert "maxItems" in node, path
            case "object" if "additionalProperties" in node:
                assert "maxProperties" in node, path
