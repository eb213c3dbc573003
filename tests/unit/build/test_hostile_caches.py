"""Caches made to be too much: the reader says so, and stays small (in a process that is ended if it does not)."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imagebuild_engine.core.cache import CONFIG_MEDIA_TYPE
from imagebuild_engine.core.oci import Digest, MediaType

_ROOT = Path(__file__).parents[3]
_LARGEST = 900 << 20
A, B = (f"sha256:{letter * 64}" for letter in "ab")


class Layout:
    """An OCI layout that somebody else wrote."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "blobs/sha256").mkdir(parents=True)

    def put(self, data: bytes, media_type: str) -> dict[str, Any]:
        digest = Digest.of(data)
        (self.directory / "blobs/sha256" / digest.hex).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def put_json(self, value: Any, media_type: str) -> dict[str, Any]:
        return self.put(json.dumps({"schemaVersion": 2, "mediaType": media_type, **value}).encode(), media_type)

    def top(self, entry: dict[str, Any]) -> None:
        (self.directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))

    def cache(self, config: bytes) -> None:
        described = self.put(config, CONFIG_MEDIA_TYPE)
        self.top(self.put_json({"config": described, "layers": []}, MediaType.OCI_MANIFEST))


def records(count: int, links: int = 0) -> bytes:
    """A cacheconfig of so many records, each on the first ones."""
    found: list[dict[str, Any]] = [{"digest": f"sha256:{number:064x}"} for number in range(count)]
    for record in found[links:]:
        if links:
            record["inputs"] = [[{"link": link} for link in range(links)]]
    return json.dumps({"records": found}, separators=(",", ":")).encode()


def huge_blob(layout: Layout) -> None:
    data = records(10) + b" " * (100 << 20)
    layout.cache(data)


def many_images(layout: Layout) -> None:
    """Each of them within all limits."""
    entries = []
    for number in range(70):
        config = {"os": "linux", "architecture": f"a{number}", "rootfs": {"type": "layers", "diff_ids": []}}
        padded = json.dumps({**config, "padding": "x" * (1 << 20)}).encode()
        described = layout.put(padded, MediaType.OCI_CONFIG)
        entries.append(layout.put_json({"config": described, "layers": []}, MediaType.OCI_MANIFEST))
    layout.top(layout.put_json({"manifests": entries}, MediaType.OCI_INDEX))


def wide_index(layout: Layout) -> None:
    entry = layout.put_json({"config": layout.put(b"{}", MediaType.OCI_CONFIG), "layers": []}, MediaType.OCI_MANIFEST)
    entries = [{**entry, "digest": f"sha256:{number:064x}"} for number in range(20_000)]
    layout.top(layout.put_json({"manifests": entries}, MediaType.OCI_INDEX))


def config(text: str) -> Callable[[Layout], None]:
    return lambda layout: layout.cache(text.encode())


HOSTILE: dict[str, tuple[Callable[[Layout], None], str]] = {
    "100 MB of records": (huge_blob, "invalid"),
    "as many records as are allowed": (lambda layout: layout.cache(records(50_000)), "unused"),
    "as many links as are allowed": (lambda layout: layout.cache(records(5_099, links=98)), "unused"),
    "many images": (many_images, "invalid"),
    "wide index": (wide_index, "invalid"),
    "records in a loop": (
        config(f'{{"records": [{{"digest": "{A}", "inputs": [[{{"link": 0}}]]}}]}}'),
        "invalid",
    ),
    "layers in a loop": (config(f'{{"layers": [{{"blob": "{A}", "parent": 0}}]}}'), "invalid"),
    "a layer that is not there": (
        config(f'{{"records": [{{"digest": "{A}", "inputs": [[]], "layers": [{{"layer": 9}}]}}]}}'),
        "invalid",
    ),
    "a negative layer": (config(f'{{"records": [{{"digest": "{A}", "layers": [{{"layer": -1}}]}}]}}'), "invalid"),
    "brackets": (config("[" * 5_000_000), "invalid"),
    "a number of a million digits": (
        config(f'{{"records": [{{"digest": "{A}", "x": {"9" * 1_000_000}}}]}}'),
        "invalid",
    ),
    "no number": (config(f'{{"records": [{{"digest": "{A}", "inputs": [[{{"link": NaN}}]]}}]}}'), "invalid"),
    "infinity": (config(f'{{"records": [{{"digest": "{A}", "inputs": [[{{"link": 1e999}}]]}}]}}'), "invalid"),
    "a digest that is a path": (config('{"records": [{"digest": "sha256:../../../../etc/passwd"}]}'), "invalid"),
    "members given twice": (
        config(f'{{"records": 7, "records": [{{"digest": "{A}", "digest": "{B}"}}]}}'),
        "unused",
    ),
}


def test_a_hostile_cache_is_refused_or_of_no_use_in_bounded_memory_and_time(tmp_path: Path) -> None:
    directories = []
    for number, (make, _) in enumerate(HOSTILE.values()):
        layout = Layout(tmp_path / str(number))
        make(layout)
        directories.append(str(layout.directory))
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.hostile_reader", *directories],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    *found, size = done.stdout.splitlines()
    outcomes = {name: json.loads(line)[0] for name, line in zip(HOSTILE, found, strict=True)}
    assert outcomes == {name: outcome for name, (_, outcome) in HOSTILE.items()}
    assert int(size) < _LARGEST
