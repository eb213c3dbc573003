"""Many builders at once on one step cache, killed at any moment: what is there is whole, and is found."""

import hashlib
import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from imagebuild_engine.core.steps import decode_step, name_of_tag

from tests.integration.workshop import NEEDS_A_REGISTRY, runtime_for
from tests.support import forked
from tests.support.images import push_busybox
from tests.support.program import environment
from tests.support.registry import RunningRegistry, running_registry

pytestmark = NEEDS_A_REGISTRY

SEED = 5
BUILDERS = 20
IMAGES = 4
SURVIVORS = 5
LONG = 300.0
DOCKERFILE = """FROM {base} AS build
WORKDIR /src
COPY src .
RUN seq 20000 > numbers
RUN cat numbers x > out
FROM {base}
RUN seq 10000 > /more
COPY --from=build /src/out /out
RUN echo {image} > /which
COPY src/x /x
"""


@dataclass
class Checker:
    """Walks through all tags of a step cache. What is visible must be whole."""

    registry: RunningRegistry
    records: dict[str, list[str]] = field(default_factory=dict)
    """The digests of the layers, by tag."""
    _verified: set[str] = field(default_factory=set)

    def walk(self) -> None:
        for tag in sorted(self.registry.tags("steps")):
            name = name_of_tag(tag)
            assert name is not None, tag
            try:
                manifest = self._get(f"manifests/{tag}", "application/vnd.oci.image.manifest.v1+json")
            except urllib.error.HTTPError as error:
                assert error.code == 404  # it was pruned since
                continue
            record = decode_step(manifest, name)
            for layer in record.layers:
                if layer.digest not in self._verified:
                    data = self._get(f"blobs/{layer.digest}")
                    assert (f"sha256:{hashlib.sha256(data).hexdigest()}", len(data)) == (layer.digest, layer.size)
                    self._verified.add(layer.digest)
            self.records[tag] = [layer.digest for layer in record.layers]

    def _get(self, what: str, accept: str = "*/*") -> bytes:
        request = urllib.request.Request(f"http://{self.registry.host}/v2/steps/{what}", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=60) as answer:
            data: bytes = answer.read()
            return data


@dataclass
class Crowd:
    """Builders that know nothing of each other but the step cache. Image number n is the same for all of them."""

    registry: RunningRegistry
    folder: Path

    def build(self, name: str, image: int | str, seconds: float = LONG) -> dict[str, Any] | None:
        """The build's result; None if it was killed."""
        steps = f"type=steps,ref={self.registry.host}/steps"
        metadata = self.folder / f"{name}.json"
        command = [
            *("build", "--progress", "plain", "--push", "--tag", f"{self.registry.host}/{name}:1"),
            *("--metadata-file", str(metadata), "--cache-from", steps, "--cache-to", steps),
            str(self.folder / str(image)),
        ]
        try:
            self.run(*command, seconds=seconds)
        except TimeoutError:
            return None
        result: dict[str, Any] = json.loads(metadata.read_text())["imagebuild.result"]
        return result

    def run(self, *command: str, seconds: float = LONG) -> None:
        done = forked.run(command, environment(runtime_for("oci"), self.folder), seconds=seconds)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    with running_registry(tmp_path / "registry") as registry:
        base = push_busybox(registry.host)
        for image in (*range(IMAGES), "another"):
            source = tmp_path / str(image) / "src"
            source.mkdir(parents=True)
            (source / "x").write_text(f"{image}\n" if image == "another" else "x\n")
            (source.parent / "Dockerfile").write_text(DOCKERFILE.format(base=base, image=image))
        yield Crowd(registry, tmp_path)


def test_nothing_broken_is_ever_visible_and_later_builders_hit(crowd: Crowd) -> None:
    chance = random.Random(SEED)
    crowd.run("--version")  # so that the forge is there
    started = time.monotonic()
    assert crowd.build("alone", image="another")
    alone = time.monotonic() - started
    # Some are killed while all of them begin, others when most have ended; two processors do the work of all.
    fates = [LONG] * SURVIVORS + [chance.uniform(0.1, 0.3 * alone * BUILDERS / 2) for _ in range(BUILDERS - SURVIVORS)]
    checker, over = Checker(crowd.registry), threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            checker.walk()

    with ThreadPoolExecutor(BUILDERS + 1) as pool:
        watching = pool.submit(watch)
        builders = [
            pool.submit(crowd.build, f"builder-{number}", number % IMAGES, seconds)
            for number, seconds in enumerate(fates)
        ]
        try:
            results = [builder.result() for builder in builders]
        finally:
            over.set()
        watching.result()
    checker.walk()
    print(f"{results.count(None)} of {BUILDERS} builders were killed; {len(checker.records)} records")
    assert all(results[:SURVIVORS])
    assert checker.records
    for image in range(IMAGES):
        later = crowd.build(f"later-{image}", image)
        assert later is not None
        assert {step["instruction"] for step in later["steps"] if step["outcome"] != "hit"} == set()
        assert {item["type"]: item["outcome"] for item in later["cache"]["exports"]}["steps"] == "unchanged"


def test_builders_and_those_who_prune_do_not_disturb_each_other(crowd: Crowd) -> None:
    ref = f"{crowd.registry.host}/steps"
    over = threading.Event()

    def prune() -> int:
        rounds = 0
        while not over.is_set():
            crowd.run("cache", "prune", ref, "--max-size", "1")
            rounds += 1
        return rounds

    with ThreadPoolExecutor(7) as pool:
        pruning = [pool.submit(prune) for _ in range(2)]
        try:
            for turn in range(2):
                builders = [pool.submit(crowd.build, f"turn-{turn}-{image}", image) for image in range(IMAGES)]
                assert all(builder.result() for builder in builders)
        finally:
            over.set()
        assert all(item.result() for item in pruning)
    Checker(crowd.registry).walk()
    crowd.run("cache", "prune", ref, "--max-size", "1")
    # A tag that is written while its manifest is deleted may be listed on by this registry, with nothing behind it.
    left = Checker(crowd.registry)
    left.walk()
    assert left.records == {}
