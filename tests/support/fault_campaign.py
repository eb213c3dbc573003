"""Builds whose caches misbehave in every way that has a name, and in random mixtures of them.

    make faults                                    all named cases, and 200 mixtures
    make faults FAULTS="--seed 7 --cases 1000"     another thousand

For each: the outcome and the image are those of a build without the cache; the source is called what it did; no more
was asked for than so many tries allow; credentials stay where they belong.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from imagebuild_engine.contract import FAILURES, Reason

from tests.support import forked
from tests.support.fault_cases import Case, mixtures, named_exports, named_imports, strict_imports
from tests.support.fault_proxy import Proxies, Proxy, running_proxies
from tests.support.images import push_steady_busybox
from tests.support.program import environment
from tests.support.registry import RunningRegistry, running_registry

AT_ONCE = 16
TRIES = 5
_DATED = "touch -d @1700000000 / /"  # the time at which a step ran must not be in its layer
_REASONS = {
    "not_found": Reason.SOURCE_NOT_FOUND,
    "unauthorized": Reason.SOURCE_UNAUTHORIZED,
    "invalid": Reason.SOURCE_NOT_FOUND,
    "timeout": Reason.NETWORK_TIMEOUT,
    "error": Reason.REGISTRY_UNAVAILABLE,
}


@dataclass(frozen=True)
class Attempt:
    """A build that may have failed; without a result if it did not even start."""

    code: int
    log: str
    result: dict[str, Any]
    digest: str


@dataclass(frozen=True)
class Judged:
    """What became of a case: `problems` is empty if all is as it must be. `added` seconds, against no cache."""

    case: Case
    problems: tuple[str, ...]
    added: float
    log: str


@dataclass
class World:
    """A registry with a cache, and what a build gives without one."""

    registry: RunningRegistry
    proxies: Proxies
    folder: Path
    context: Path
    digest: str = ""
    seconds: float = 0.0
    blobs: int = 0
    numbers: Iterator[int] = field(default_factory=count)

    def build(self, name: str, *arguments: str, proxy: Proxy | None = None, image: str = "") -> Attempt:
        """One build, whatever becomes of it. The name is of this build alone."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "config.json").write_text(proxy.docker_config if proxy else "{}")
        metadata = folder / "metadata.json"
        given = ["build", "--progress", "plain", "--push", "--tag", image or f"{self.registry.host}/{name}:1"]
        given += ["--build-arg", "SOURCE_DATE_EPOCH=1700000000", "--metadata-file", str(metadata)]
        variables = environment("/nonexistent", folder) | {"DOCKER_CONFIG": str(folder)}
        done = forked.run([*given, *arguments, str(self.context)], variables)
        found = json.loads(metadata.read_text()) if metadata.exists() else {}
        result = found.get("imagebuild.result", {})
        return Attempt(done.returncode, done.stderr, result, found.get("containerimage.digest", ""))

    def judged(self, case: Case) -> Judged:
        number = next(self.numbers)
        proxy = self.proxies.open(case.fresh_rules())
        name, image = f"case-{number}", ""
        if case.attached:
            image = f"{proxy.host}/{name}:1"
            arguments = ["--cache-export-timeout", str(case.timeout)]
        elif case.export:
            ignoring = "false" if case.strict else "true"
            cache = f"type=registry,ref={proxy.host}/written-{number}:1,mode=max,ignore-error={ignoring}"
            arguments = ["--cache-to", cache, "--cache-to", "inline", "--cache-export-timeout", str(case.timeout)]
        else:
            arguments = ["--cache-from", f"{proxy.host}/cache:1", "--cache-import-timeout", str(case.timeout)]
            arguments += ["--on-cache-import-error", "fail"] if case.strict else []
            arguments += ["--cache-to", "inline"]
        started = time.monotonic()
        done = self.build(name, *arguments, proxy=proxy, image=image)
        added = time.monotonic() - started - self.seconds
        problems = [*self._of_the_build(case, done), *self._of_the_proxy(case, proxy)]
        return Judged(case, tuple(problems), added, done.log)

    def _of_the_build(self, case: Case, done: Attempt) -> Iterator[str]:
        if not done.result:
            yield f"no result, exit code {done.code}"
            return
        if "Traceback" in done.log or "internal error" in done.log:
            yield "a traceback"
        sources = done.result["cache"]["sources"]
        outcome = sources[0]["outcome"] if sources else ""
        if not case.export and outcome not in case.outcomes:
            yield f"the source is {outcome} ({sources[0]['reason']}), not {' or '.join(sorted(case.outcomes))}"
        failing = case.strict and (case.export or outcome not in ("used", "unused"))
        if failing:
            yield from self._failure(case, done, outcome)
        elif done.code or done.digest != self.digest:
            yield f"exit code {done.code}, image {done.digest or 'none'}, without the cache {self.digest}"
        elif case.written is False and "was not written" not in done.log:
            yield "the cache is said to be written"

    def _failure(self, case: Case, done: Attempt, outcome: str) -> Iterator[str]:
        failure: dict[str, Any] = done.result.get("failure") or {}
        if not done.code or not failure:
            yield "it did not fail"
        elif not case.export:
            reason = _REASONS[outcome]
            if (failure["reason"], done.code) != (reason, FAILURES[reason].exit_code):
                yield f"it failed with {failure['reason']} ({done.code}), not {reason}"

    def _of_the_proxy(self, case: Case, proxy: Proxy) -> Iterator[str]:
        if proxy.leaked:
            yield f"credentials went to another host: {proxy.leaked[:3]}"
        for kind, _, _ in case.rules:
            # Each blob may be tried so often, and again as chunks where the registry does not take it whole.
            if proxy.counted[kind] > 3 * TRIES * self.blobs:
                yield f"{proxy.counted[kind]} requests of kind {kind}"


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """With one cache in it. Each build's own repository is new, so that layers must travel."""
    context = folder / "context"
    context.mkdir(parents=True)
    (context / "a.txt").write_text("hello\n")
    with running_registry(folder / "registry") as registry:
        base = push_steady_busybox(registry.host)
        lines = (
            f"FROM {base} AS build",
            f"RUN echo built > /built && {_DATED}built",
            f"FROM {base}",
            "COPY a.txt /",
            f"RUN echo two > /two && {_DATED}two",
            "COPY --from=build /built /",
        )
        (context / "Dockerfile").write_text("\n".join([*lines, ""]))
        with running_proxies(registry.host) as proxies:
            made = World(registry, proxies, folder, context)
            first = made.build("cache")
            assert first.code == 0, first.log
            manifest = registry.manifest("cache", "1")
            proxies.configs |= {manifest["config"]["digest"], *attached_configs(registry, first.digest)}
            made.blobs = len(manifest["layers"]) + 3
            made.digest = first.digest
            started = time.monotonic()
            again = made.build("again")
            made.seconds = time.monotonic() - started
            assert again.digest == first.digest, "the build is not the same every time"
            yield made


def attached_configs(registry: RunningRegistry, image: str) -> Iterator[str]:
    for entry in registry.manifest("cache", image.replace(":", "-"))["manifests"]:
        yield registry.manifest("cache", entry["digest"])["config"]["digest"]


def judged(made: World, cases: Iterable[Case]) -> list[Judged]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(made.judged, cases))


def summary(found: Sequence[Judged], seconds: float) -> str:
    added = [max(0.0, item.added) for item in found]
    failed = sum(bool(item.problems) for item in found)
    return (
        f"{len(found)} cases in {seconds:.0f} s, {AT_ONCE} at a time: {failed} failures; "
        f"added seconds: median {statistics.median(added):.2f}, most {max(added):.2f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=200, help="random mixtures, besides all named cases")
    parser.add_argument("--only", default="", help="named cases that contain this text, and no mixtures")
    given = parser.parse_args()
    named = [*named_imports(), *strict_imports(), *named_exports()]
    cases = [case for case in named if given.only in case.name]
    cases += [] if given.only else list(mixtures(given.seed, given.cases))
    with tempfile.TemporaryDirectory(prefix="ib-faults-") as folder, world(Path(folder)) as made:
        started = time.monotonic()
        found = judged(made, cases)
        seconds = time.monotonic() - started
    for item in found:
        if item.problems:
            rules = [(str(kind), type(fault).__name__, times) for kind, fault, times in item.case.rules]
            print(f"{item.case.name} {json.dumps(rules)}: {'; '.join(item.problems)}\n{item.log[-3000:]}\n")
    for item in sorted(found, key=lambda item: item.added, reverse=True)[:5]:
        print(f"{item.added:6.1f} s more: {item.case.name}")
    print(summary(found, seconds))
    return int(any(item.problems for item in found))


if __name__ == "__main__":
    sys.exit(main())
