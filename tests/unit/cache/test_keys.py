"""The key algebra: vectors that were measured on BuildKit."""

import pytest
from imagebuild_engine.core.cache import content_key, root_key, selector_of
from imagebuild_engine.core.oci import Digest

from tests.support.golden import own

HELLO = Digest.parse("sha256:09eefdc91e8894bc767daae7daa5a4e8cbf396610f10ae20604d9086c76d4a93")


def test_the_selector_of_the_root_is_the_one_of_every_plain_run() -> None:
    assert selector_of(["/"]) == "sha256:8a5edab282632443219e051e4ade2d1d5bbc671c781051bf1437897cbdfea0f1"


def test_a_copied_file_is_known_by_its_content() -> None:
    content = Digest.of(HELLO.encode())
    assert content_key(content) == "sha256:c24a47b576469b52903dd7e5045a62fee5855b447dee1771d67b829458d2c08e"


@pytest.mark.parametrize(
    ("op", "record"),
    [
        (
            "190ea2578b546844338ec2ca3215ad9535269ddd0251ecd186077e282bbb9128",
            "f3a558d739056fa38f45ada99819bccd2714e7847991333b5e6d1de73889bbee",
        ),
        (
            "50958107a7ed2b03b5e248b71c070490a4d9553a5fa382d804fb11655fcb4579",
            "a3651ee7b557c43a0d3250c29674e9facc94bff8b4f2fb2b6459dbcd6d2fb758",
        ),
    ],
)
def test_a_step_is_known_by_its_op_and_output(op: str, record: str) -> None:
    assert root_key(Digest.parse(f"sha256:{op}"), 0) == f"sha256:{record}"


def test_every_record_key_of_the_golden_file_is_reproduced() -> None:
    seen = 0
    for key, (kind, text) in own()["preimages_HEAD"].items():
        digest, at, output = text.rpartition("@")
        if kind == "string" and at:
            ours = content_key(Digest.parse(digest)) if output == "-1" else root_key(Digest.parse(digest), int(output))
            assert ours == key
            seen += 1
    assert seen > 80


def test_every_selector_of_the_golden_file_is_reproduced() -> None:
    lists = {key: text for key, (kind, text) in own()["preimages_HEAD"].items() if kind == "string-list"}
    assert lists
    assert {key: selector_of(text.split("\0")) for key, text in lists.items()} == {key: key for key in lists}


def test_the_order_of_selected_paths_counts() -> None:
    assert selector_of(["/a", "/b"]) != selector_of(["/b", "/a"])


def test_a_path_that_is_no_utf8_is_hashed_by_its_bytes() -> None:
    assert selector_of(["/\udcff"]) == Digest.of(b"/\xff")
