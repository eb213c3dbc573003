"""The attached cache: every stage's steps as the image's referrer, on registries that list referrers and on others."""

import http.server
import json
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.workshop import NEEDS_A_REGISTRY, Built, Workshop, runtime_for
from tests.support.fault_proxy import Kind, Rule, running_proxies
from tests.support.faults import Status
from tests.support.images import push_busybox
from tests.support.olareg import running_olareg
from tests.support.program import PROGRAM
from tests.support.registry import RunningRegistry, running_registry

pytestmark = NEEDS_A_REGISTRY

REGISTRIES: dict[str, Callable[[Path], AbstractContextManager[RunningRegistry]]] = {
    "docker-registry": running_registry,
    "olareg": running_olareg,
}
BUILDER = ["WORKDIR /src", "COPY src .", "RUN cat x > out", "RUN cp out again"]
KIND = "application/vnd.imagebuild.cache.v1"


EVERYWHERE = pytest.mark.parametrize("workshop", REGISTRIES, indirect=True)


@pytest.fixture
def workshop(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Workshop]:
    context = tmp_path / "context"
    context.mkdir()
    with REGISTRIES[getattr(request, "param", "docker-registry")](tmp_path / "registry") as registry:
        made = Workshop(registry, push_busybox(registry.host), context, tmp_path, runtime_for("oci"))
        made.write("src/x", "x")
        made.write("a.txt", "hello\n")
        made.write("Dockerfile", dockerfile(made))
        yield made


def dockerfile(workshop: Workshop, second: str = "RUN cp out again", wanted: str = "out") -> str:
    return f"""FROM {workshop.base} AS build
WORKDIR /src
COPY src .
RUN cat x > out
{second}
FROM {workshop.base}
RUN echo hi > /hi
COPY --from=build /src/{wanted} /taken
COPY a.txt /
"""


def export(built: Built, kind: str = "attached") -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in built.result["cache"]["exports"] if item["type"] == kind)
    return found


def attached(workshop: Workshop, built: Built, repository: str = "app") -> dict[str, Any]:
    """The manifest of the build's attached cache."""
    return workshop.registry.manifest(repository, export(built)["digest"])


def referrers(workshop: Workshop, digest: str) -> list[str]:
    """As anybody finds them: by the API, else by the tag."""
    try:
        with urllib.request.urlopen(f"http://{workshop.registry.host}/v2/app/referrers/{digest}", timeout=10) as answer:
            listed = json.load(answer)["manifests"] or []
    except urllib.error.HTTPError as error:
        assert error.code == 404, error
        try:
            listed = workshop.registry.manifest("app", digest.replace(":", "-"))["manifests"]
        except urllib.error.HTTPError:
            listed = []
    return [item["digest"] for item in listed if item["artifactType"] == KIND]


def uploads(workshop: Workshop, mark: int) -> list[str]:
    return [item.path for item in workshop.registry.requests_after(mark) if item.method in ("PUT", "PATCH", "POST")]


def misses(built: Built) -> set[str]:
    return {name for name, outcome in built.outcomes.items() if outcome != "hit"}


@EVERYWHERE
def test_it_comes_with_every_push_and_is_a_cache_of_all_stages(workshop: Workshop) -> None:
    built = workshop.build()
    assert referrers(workshop, built.digest) == [export(built)["digest"]]
    made = attached(workshop, built)
    assert (made["artifactType"], made["subject"]["digest"]) == (KIND, built.digest)
    assert made["config"]["mediaType"] == "application/vnd.buildkit.cacheconfig.v0"
    kinds = [layer["mediaType"] for layer in made["layers"]]
    assert kinds[-2:] == [
        "application/vnd.imagebuild.components.v1+json+zstd",
        "application/vnd.imagebuild.result.v1+json+zstd",
    ]
    assert len(kinds) == 1 + 4 + 3 + 2
    image = workshop.registry.manifest("app", "1")
    assert {layer["digest"] for layer in image["layers"]} < {layer["digest"] for layer in made["layers"]}
    own = {layer["digest"] for layer in image["layers"]}
    assert export(built)["pushed"] == sum(layer["size"] for layer in made["layers"][:-2] if layer["digest"] not in own)


@EVERYWHERE
def test_a_change_in_the_final_stage_runs_nothing_of_the_builder_stage(workshop: Workshop) -> None:
    workshop.build()
    workshop.write("Dockerfile", dockerfile(workshop, wanted="x"))
    changed = workshop.build("--cache-from", workshop.ref("app:1"), tag="app:2")
    assert misses(changed) == {"COPY --from=build /src/x /taken", "COPY a.txt /"}
    assert "cat x > out\n" not in changed.log.partition("-- build\n")[0]


@EVERYWHERE
def test_a_change_in_the_middle_of_the_builder_stage_runs_only_what_follows_it(workshop: Workshop) -> None:
    workshop.build()
    workshop.write("Dockerfile", dockerfile(workshop, second="RUN echo other > again", wanted="again"))
    changed = workshop.build("--cache-from", workshop.ref("app:1"), tag="app:2")
    assert misses(changed) == {"RUN echo other > again", "COPY --from=build /src/again /taken", "COPY a.txt /"}


def test_it_is_found_from_a_digest_alone_and_through_what_it_was_rebuilt_into(workshop: Workshop) -> None:
    """Three builders, one after the other, each with nothing but the image of the one before."""
    first = workshop.build()
    workshop.write("a.txt", "changed\n")
    second = workshop.build("--cache-from", f"{workshop.registry.host}/app@{first.digest}", tag="app:2")
    assert misses(second) == {"COPY a.txt /"}
    workshop.write("Dockerfile", dockerfile(workshop, wanted="x"))
    third = workshop.build("--cache-from", f"{workshop.registry.host}/app@{second.digest}", tag="app:3")
    assert not misses(third) & set(BUILDER)


def test_layers_of_other_stages_are_uploaded_while_later_steps_run(workshop: Workshop) -> None:
    """The last step waits for somebody who answers only when he sees a whole layer at the registry."""

    class Gate(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there = any("/blobs/" in item.path and item.status == 201 for item in registry.requests()[mark:])
            self.send_response(200 if there else 404)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    registry, mark = workshop.registry, len(workshop.registry.requests())
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gate) as gate:
        threading.Thread(target=gate.serve_forever, daemon=True).start()
        wait = (
            f"for try in $(seq 600); do wget -q -O /ok http://127.0.0.1:{gate.server_port}/ && exit 0; sleep 0.1; done"
        )
        workshop.write("Dockerfile", dockerfile(workshop) + f"RUN {wait}; exit 1\n")
        built = workshop.build()
        gate.shutdown()
    sent = Counter(item.path for item in registry.requests_after(mark) if item.method == "HEAD" and item.status == 404)
    assert built.digest
    assert max(sent.values()) == 1  # each blob was looked for once and then sent


@EVERYWHERE
def test_a_rebuild_from_it_changes_and_uploads_nothing(workshop: Workshop) -> None:
    first = workshop.build()
    mark = len(workshop.registry.requests())
    again = workshop.build("--cache-from", workshop.ref("app:1"))
    assert (misses(again), again.digest) == (set(), first.digest)
    assert (export(again)["outcome"], export(again)["digest"]) == ("unchanged", export(first)["digest"])
    assert again.result["bytes"]["pulled"] == again.result["bytes"]["pushed"] == 0
    assert uploads(workshop, mark) == ["/v2/app/manifests/1"]
    assert referrers(workshop, first.digest) == [export(first)["digest"]]


def test_a_builder_that_knows_less_does_not_replace_it(workshop: Workshop) -> None:
    """From a copy of the image without its attached cache: its own has the image's steps only."""
    first = workshop.build("--output", f"type=oci,dest={workshop.folder}/layout,tar=false")
    layout = f"type=local,src={workshop.folder}/layout"
    again = workshop.build("--cache-from", layout, tag="app:2")
    assert (misses(again), again.digest) == (set(), first.digest)
    assert (export(again)["outcome"], export(again)["digest"]) == ("unchanged", export(first)["digest"])
    elsewhere = workshop.build("--cache-from", layout, tag="other:1")
    assert (export(elsewhere)["outcome"], elsewhere.digest) == ("exported", first.digest)
    assert len(attached(workshop, elsewhere, "other")["layers"]) < len(attached(workshop, first)["layers"])
    # The first that brings the stages completes it, and is found from then on.
    both = ["--cache-from", layout, "--cache-from", workshop.ref("app:1")]
    workshop.write("Dockerfile", dockerfile(workshop, wanted="x"))
    assert not misses(workshop.build(*both, tag="other:2")) & set(BUILDER)


def test_every_name_and_repository_gets_it_once(workshop: Workshop) -> None:
    names = [part for name in ("app:2", "more:1", "app:3") for part in ("--tag", workshop.ref(name))]
    built = workshop.build(*names, tag="app:1")
    for repository in ("app", "more"):
        assert attached(workshop, built, repository)["subject"]["digest"] == built.digest
    sent = [item.path for item in workshop.registry.requests() if item.method == "PUT" and "/blobs/" in item.path]
    blobs = {digest for repository in ("app", "more") for digest in _blobs(workshop, built, repository)}
    assert len(sent) < 2 * len(blobs) + 4  # busybox was pushed before, by the test itself


def _blobs(workshop: Workshop, built: Built, repository: str) -> set[str]:
    found = set()
    for manifest in (workshop.registry.manifest(repository, built.digest), attached(workshop, built, repository)):
        found |= {f"{repository} {item['digest']}" for item in (manifest["config"], *manifest["layers"])}
    return found


def test_it_can_be_left_out_and_has_options_of_its_own(workshop: Workshop) -> None:
    inline = workshop.build("--cache-to", "type=inline")
    assert [item["type"] for item in inline.result["cache"]["exports"]] == ["inline"]
    assert referrers(workshop, inline.digest) == []
    alone = workshop.build("--cache-to", "type=attached", tag="app:2")
    assert [item["type"] for item in alone.result["cache"]["exports"]] == ["attached"]
    hit = workshop.build("--cache-from", workshop.ref("app:2"), "--cache-to", "type=attached", tag="app:3")
    assert (misses(hit), hit.digest) == (set(), alone.digest)
    outside = workshop.build("--build-arg", "BUILDKIT_INLINE_CACHE=0", tag="app:4")
    assert [item["type"] for item in outside.result["cache"]["exports"]] == ["attached"]


def test_what_does_not_fit_is_left_out_and_what_follows_it_still_hits(workshop: Workshop) -> None:
    large = "RUN head -c 3000000 /dev/urandom > again"
    workshop.write("Dockerfile", dockerfile(workshop, large))
    small = ["--cache-to", "type=inline", "--cache-to", "type=attached,max-size=1m,keep-cheap=true"]
    first = workshop.build(*small)
    assert export(first)["reason"] == "results left out: 1 beyond max-size"
    own = {layer["digest"] for layer in workshop.registry.manifest("app", "1")["layers"]}
    added = [layer["size"] for layer in attached(workshop, first)["layers"] if layer["digest"] not in own]
    assert len(added) == 3 + 2
    assert sum(added) < 1 << 20
    again = workshop.build(*small, "--cache-from", workshop.ref("app:1"))
    assert (misses(again), again.digest, export(again)["outcome"]) == (set(), first.digest, "unchanged")
    workshop.write("Dockerfile", dockerfile(workshop, large, wanted="x"))
    changed = workshop.build(*small, "--cache-from", workshop.ref("app:1"), tag="app:2")
    assert misses(changed) == {large, "COPY --from=build /src/x /taken", "COPY a.txt /"}


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("type=attached,mode=min", "all stages"),
        ("type=attached,max-size=lots", "is no size"),
        ("type=attached,ref=a/b", "not supported yet: ref=a/b"),
        ("type=attached,keep-cheap=perhaps", "true or false"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, option: str, says: str) -> None:
    done = subprocess.run(
        [PROGRAM, "build", "--push", "--tag", "localhost:1/a", "--cache-to", option, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, says in " ".join(done.stderr.split())) == (2, True), done.stderr


def test_inspect_shows_the_steps_of_all_stages_with_their_layers(workshop: Workshop) -> None:
    digest = export(workshop.build())["digest"]
    facts = json.loads(workshop.run("cache", "inspect", "--format", "json", workshop.ref("app:1")).stdout)
    assert facts["stages"] == [[1, 2, 3, 4], [5, 6, 7]]
    assert all(step["depth"] > 0 for step in facts["steps"])
    assert (facts["attached"], facts["problem"]) == (digest, None)
    lines = workshop.run("cache", "inspect", workshop.ref("app:1")).stdout.splitlines()
    assert lines[1].endswith("image for linux/amd64, 8 layers")
    assert lines[2] == f"{digest}  attached to it"


def test_a_kill_between_the_image_and_its_cache_leaves_an_image_that_the_next_build_completes(
    workshop: Workshop,
) -> None:
    process = subprocess.Popen(
        [PROGRAM, "build", "--push", "--progress", "quiet", "--tag", workshop.ref("app:1"), str(workshop.context)],
        env=dict(workshop.environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            done = {(item.method, item.path) for item in workshop.registry.requests() if item.status < 300}
            if ("PUT", "/v2/app/manifests/1") in done:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.001)
    finally:
        process.kill()
        process.wait()
    again = workshop.build("--cache-from", workshop.ref("app:1"))
    assert again.outcomes["COPY a.txt /"] == "hit"
    assert export(again)["outcome"] in ("exported", "unchanged")
    assert len(referrers(workshop, again.digest)) == 1


def test_an_image_whose_attached_cache_is_gone_or_broken_is_still_a_cache(workshop: Workshop) -> None:
    built = workshop.build()
    digest = export(built)["digest"]
    blobs = workshop.registry.folder / "data"
    for path in blobs.rglob(attached(workshop, built)["config"]["digest"].removeprefix("sha256:") + "*"):
        target = path / "data" if path.is_dir() else path
        if target.exists():
            target.write_bytes(b"{" * target.stat().st_size)
    workshop.write("a.txt", "changed\n")
    broken = workshop.build("--cache-from", workshop.ref("app:1"), tag="app:2")
    assert misses(broken) == {"COPY a.txt /"}
    (source,) = broken.result["cache"]["sources"]
    assert (source["outcome"], "attached cache cannot be read" in source["reason"]) == ("used", True)
    assert digest != export(broken)["digest"]


@pytest.mark.parametrize("strict", [False, True])
def test_a_registry_that_refuses_it_costs_a_warning_unless_told_otherwise(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, strict: bool
) -> None:
    with running_proxies(workshop.registry.host) as proxies:
        proxy = proxies.open([Rule(Kind.ATTACHED_PUT, Status(403))])
        (workshop.folder / "config.json").write_text(proxy.docker_config)
        monkeypatch.setenv("DOCKER_CONFIG", str(workshop.folder))
        through = replace(workshop, registry=replace(workshop.registry, host=proxy.host))
        built = through.build("--cache-to", f"type=attached,ignore-error={str(not strict).lower()}")
    assert workshop.registry.manifest("app", "1")["mediaType"]  # the image is there
    if strict:
        assert built.code == 14
        assert "403" in built.result["failure"]["message"]
    else:
        assert (built.code, export(built)["outcome"]) == (0, "failed")
        assert "403" in export(built)["reason"]
        assert "was not written" in built.log


def test_an_image_that_was_deleted_is_no_cache_and_its_successor_is(workshop: Workshop) -> None:
    """Deleted as a clean-up does it: by the manifest, whatever its attached cache."""
    built = workshop.build()
    url = f"http://{workshop.registry.host}/v2/app/manifests/{built.digest}"
    with urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=10) as answer:
        assert answer.status == 202
    gone = workshop.build("--cache-from", workshop.ref("app:1"), tag="app:2")
    (source,) = gone.result["cache"]["sources"]
    assert (source["outcome"], gone.code) == ("not_found", 0)
    again = workshop.build("--cache-from", workshop.ref("app:2"), tag="app:1")
    assert misses(again) == set()
