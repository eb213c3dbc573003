"""The examples of results and plans in the documentation have every member that the real ones have, and no other."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from imagebuild_engine.build import metadata
from imagebuild_engine.contract import BuildResult, ImageResult, MissReason, PlanResult

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def example(page: str, name: str) -> Any:
    text = (REFERENCE / page).read_text()
    found = re.search(rf"^```json {name}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def differing(kind: msgspec.inspect.Type, value: Any, path: str) -> list[str]:
    """Where the value has a member too many or too few."""
    match kind:
        case msgspec.inspect.UnionType(types=types):
            if value is None:
                return []
            return differing(
                next(item for item in types if not isinstance(item, msgspec.inspect.NoneType)), value, path
            )
        case msgspec.inspect.StructType(fields=fields):
            known = {field.encode_name: field.type for field in fields}
            found = [f"{path}.{name}" for name in sorted(known.keys() ^ value.keys())]
            return found + [
                wrong
                for name in sorted(known.keys() & value.keys())
                for wrong in differing(known[name], value[name], f"{path}.{name}")
            ]
        case msgspec.inspect.VarTupleType(item_type=item):
            return [wrong for number, one in enumerate(value) for wrong in differing(item, one, f"{path}[{number}]")]
        case _:
            return []


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (BuildResult, example("result.md", "result")["imagebuild.result"]),
        (PlanResult, example("plan-and-explain.md", "plan")),
    ],
)
def test_example_is_as_the_real_one(kind: type[msgspec.Struct], shown: Any) -> None:
    assert differing(msgspec.inspect.type_info(kind), shown, "") == []
    assert json.loads(msgspec.json.encode(msgspec.convert(shown, kind))) == shown


def test_metadata_file_has_the_keys_of_the_example() -> None:
    image = ImageResult(digest="", config_digest="", media_type="", platform="", size=0)
    assert json.loads(metadata(BuildResult(image=image))).keys() == example("result.md", "result").keys()


def test_every_miss_reason_is_documented() -> None:
    text = (REFERENCE / "result.md").read_text()
    assert [reason for reason in MissReason if f"`{reason}`" not in text] == []
