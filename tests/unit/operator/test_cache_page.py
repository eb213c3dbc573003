"""The page about an ImageBuild's cache speaks of each field, condition, event and metric that there is."""

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest
import yaml
from imagebuild_engine.contract import ExportOutcome, ImportOutcome, SourceKind
from imagebuild_operator.metrics import Metrics
from imagebuild_operator.resource import Cache

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reference" / "imagebuild-cache.md").read_text()
OPERATOR = "\n".join(path.read_text() for path in (ROOT / "operator").rglob("*.py"))
(_VERSION,) = yaml.safe_load((ROOT / "crds" / "imagebuild.yaml").read_text())["spec"]["versions"]
SCHEMA = _VERSION["schema"]["openAPIV3Schema"]["properties"]


def test_every_field_of_the_cache_is_on_the_page() -> None:
    fields = SCHEMA["spec"]["properties"]["cache"]["properties"]
    offered = {name for name, node in fields.items() if node["description"] != "Not supported yet."}
    assert {name for name in offered if not re.search(rf"\b{name}\b", PAGE)} == set()


def test_the_status_that_is_shown_has_fields_that_exist() -> None:
    (shown,) = re.findall(r"^status:\n((?:  .*\n)+?)  …$", PAGE, re.MULTILINE)
    status = yaml.safe_load(shown)
    fields = SCHEMA["status"]["properties"]

    def compare(value: object, schema: dict[str, object], path: str) -> None:
        if isinstance(value, list):
            for item in value:
                compare(item, schema["items"], path)  # type: ignore[arg-type]  # JSON
        elif isinstance(value, dict):
            known = schema["properties"]
            assert isinstance(known, dict)
            for name, inner in value.items():
                assert name in known, f"{path}.{name}"
                compare(inner, known[name], f"{path}.{name}")

    for name, value in status.items():
        compare(value, fields[name], name)


def test_every_metric_of_the_cache_is_on_the_page_and_no_other() -> None:
    metrics = {line.split()[2] for line in Metrics("1").text().decode().splitlines() if line.startswith("# TYPE")}
    wanted = {name for name in metrics if name.startswith("imagebuild_cache_") and not name.endswith("_created")}
    shown = set(re.findall(r"^\| `(imagebuild_cache_\w+)`", PAGE, re.MULTILINE))
    assert shown == wanted


@pytest.mark.parametrize("values", [ExportOutcome, ImportOutcome, SourceKind])
def test_every_value_of_a_label_is_on_the_page(values: object) -> None:
    assert {word for word in get_args(values) if not re.search(rf"\b{word}\b", PAGE)} == set()


def test_conditions_and_events_on_the_page_are_the_operators() -> None:
    rows = re.findall(r"^\| `(?:CacheImported|CacheExported)` \|.*$", PAGE, re.MULTILINE)
    assert len(rows) == 2
    words = set(re.findall(r"`([A-Z]\w+)`", "".join(rows))) | set(re.findall(r"\bCache[A-Z]\w+", PAGE))
    assert {word for word in words if f'"{word}"' not in OPERATOR} == set()
    said = set(re.findall(r'"Cache(?:Imported|Exported)", "(?:True|False)", "(\w+)"', OPERATOR))
    assert said <= words


def test_what_is_zero_or_empty_is_left_out_as_the_page_says() -> None:
    assert msgspec.to_builtins(Cache()) == {}
