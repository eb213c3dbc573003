"""The promises of docs/promises.md that our own program alone can show, each a short story with a real registry.

1 and 8 speak of BuildKit too: tests/interop/test_promises.py. Every build is one of a fresh builder: it knows nothing
but what the registry has.
"""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.workshop import NEEDS_A_REGISTRY, Built, Workshop, opened_workshop

pytestmark = NEEDS_A_REGISTRY


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    with opened_workshop(tmp_path) as made:
        yield made


@pytest.fixture
def two_stages(workshop: Workshop) -> Workshop:
    workshop.write("src/main", "main\n")
    workshop.write("src/library", "library\n")
    workshop.write("settings", "colour=red\n")
    workshop.write(
        "Dockerfile",
        f"""FROM {workshop.base} AS build
WORKDIR /src
COPY src .
RUN cat main library > program
RUN wc -c program > size
FROM {workshop.base}
RUN echo a tool > /tool
COPY --from=build /src/program /src/size /
RUN cat /program /tool > /both
COPY settings /
""",
    )
    return workshop


def change(workshop: Workshop, old: str, new: str) -> None:
    """One change of the Dockerfile."""
    text = (workshop.context / "Dockerfile").read_text()
    assert text.count(old) == 1
    workshop.write("Dockerfile", text.replace(old, new))


def sources(workshop: Workshop, *tags: str) -> list[str]:
    return [part for tag in tags for part in ("--cache-from", workshop.ref(tag))]


def ran(built: Built) -> list[str]:
    """The steps that were not taken from a cache, in the order of the Dockerfile."""
    assert built.code == 0, built.log
    return [name for name, outcome in built.outcomes.items() if outcome != "hit"]


def layers(workshop: Workshop, tag: str) -> list[str]:
    return [layer["digest"] for layer in workshop.registry.manifest(*tag.split(":"))["layers"]]


def downloaded(workshop: Workshop, mark: int) -> set[str]:
    """Digests of the blobs that were read since the mark, as the registry's log has them."""
    log = workshop.registry.requests_after(mark)
    return {item.path.rpartition("/")[2] for item in log if item.method == "GET" and "/blobs/" in item.path}


def test_promise_2_sources_in_the_order_given_and_a_bad_one_costs_a_bounded_time_only(workshop: Workshop) -> None:
    # Two images of one Dockerfile whose step leaves something else each time: the digest tells whose layer it is.
    workshop.write("Dockerfile", f"FROM {workshop.base}\nRUN head -c 16 /dev/urandom > /random\n")
    images = {tag: workshop.build(tag=tag).digest for tag in ("one:1", "two:1")}
    assert images["one:1"] != images["two:1"]
    for order in (["one:1", "two:1"], ["two:1", "one:1"]):
        # A server that takes the question and never answers: the build ends while its connection is still open.
        with socket.create_server(("127.0.0.1", 0)) as silent:
            never = f"127.0.0.1:{silent.getsockname()[1]}/app:1"
            built = workshop.build(
                *("--cache-import-timeout", "1", "--cache-from", never),
                *sources(workshop, "missing:1", *order),
                tag="app:1",
            )
            silent.settimeout(10)
            with silent.accept()[0] as connection:
                assert connection.recv(1000).startswith((b"GET /v2/", b"HEAD /v2/"))
        assert built.digest == images[order[0]]
        outcomes = [source["outcome"] for source in built.result["cache"]["sources"]]
        assert outcomes == ["timeout", "not_found", "used", "unused"]


def test_promise_3_content_decides(workshop: Workshop) -> None:
    workshop.write("src/main", "main\n")
    workshop.write("settings", "colour=red\n")
    workshop.write(
        "Dockerfile",
        f"FROM {workshop.base}\nRUN echo a tool > /tool\nCOPY src /src\nRUN cat /src/* > /all\nCOPY settings /\n",
    )
    first = workshop.build(tag="app:1")

    # Cloned again at another time, with comments in the Dockerfile and in the shell's text.
    clone = workshop.folder / "clone"
    shutil.copytree(workshop.context, clone)
    for path in clone.rglob("*"):
        os.utime(path, (1, 1))
    workshop.context = clone
    change(workshop, "RUN echo a tool > /tool", "# The tool.\nRUN echo a tool  > /tool # needed below")
    again = workshop.build(*sources(workshop, "app:1"), tag="app:2")
    assert ran(again) == []
    assert layers(workshop, "app:2") == layers(workshop, "app:1")

    # One byte of a file: a miss from the step that uses it on, and from there only.
    workshop.write("src/main", "Main\n")
    changed = workshop.build(*sources(workshop, "app:1"), tag="app:3")
    assert ran(changed) == ["COPY src /src", "RUN cat /src/* > /all", "COPY settings /"]
    assert changed.digest != first.digest


def test_promise_4_a_change_of_the_final_stage_runs_nothing_of_the_builder_stage(two_stages: Workshop) -> None:
    two_stages.build(tag="app:1")
    change(two_stages, "RUN echo a tool", "RUN echo another tool")
    changed = two_stages.build(*sources(two_stages, "app:1"), tag="app:2")
    assert ran(changed) == [
        "RUN echo another tool > /tool",
        "COPY --from=build /src/program /src/size /",
        "RUN cat /program /tool > /both",
        "COPY settings /",
    ]


def test_promise_4_a_change_in_the_middle_of_the_builder_stage_runs_what_follows_it(two_stages: Workshop) -> None:
    two_stages.build(tag="app:1")
    change(two_stages, "RUN wc -c program", "RUN wc -l program")
    changed = two_stages.build(*sources(two_stages, "app:1"), tag="app:2")
    assert ran(changed) == [
        "RUN wc -l program > size",
        "COPY --from=build /src/program /src/size /",
        "RUN cat /program /tool > /both",
        "COPY settings /",
    ]


def test_promise_5_steps_after_a_changed_one_hit_if_it_leaves_the_same_files(workshop: Workshop) -> None:
    workshop.write(
        "Dockerfile",
        f"""FROM {workshop.base} AS tools
RUN echo a tool > /tool
FROM {workshop.base}
RUN echo first > /first
COPY --from=tools /tool /
RUN cat /first /tool > /both
""",
    )
    first = workshop.build(tag="app:1")
    change(workshop, "RUN echo a tool", "RUN printf 'a %s\\n' tool")
    again = workshop.build(*sources(workshop, "app:1"), tag="app:2")
    assert ran(again) == ["RUN printf 'a %s\\n' tool > /tool"]
    assert layers(workshop, "app:2") == layers(workshop, "app:1")
    assert first.code == 0


def test_promise_6_a_full_hit_moves_no_layer_and_ends_with_the_same_digest(two_stages: Workshop) -> None:
    first = two_stages.build(tag="app:1")
    mark = len(two_stages.registry.requests())
    again = two_stages.build(*sources(two_stages, "app:1"), "--cache-to", "type=inline", tag="elsewhere:1")
    assert ran(again) == []
    assert again.digest == first.digest
    assert not downloaded(two_stages, mark) & set(layers(two_stages, "app:1"))
    moved = again.result["bytes"]
    # The other repository gets its layers from this one, inside the registry: only the config is sent.
    config = two_stages.registry.manifest("elsewhere", "1")["config"]["size"]
    assert (moved["pulled"], moved["pushed"], moved["mounted"] > 0) == (0, config, True)


def test_promise_6_a_partial_hit_downloads_what_the_steps_to_run_need(workshop: Workshop) -> None:
    workshop.write(
        "Dockerfile",
        f"""FROM {workshop.base} AS data
RUN seq 100000 > /data && echo never needed again > /rest
FROM {workshop.base} AS tools
RUN echo a tool > /tool
FROM {workshop.base}
COPY --from=data /data /
COPY --from=tools /tool /
RUN echo of the last step > /last
""",
    )
    workshop.build(tag="app:1")
    change(workshop, "echo of the last step", "echo another")
    mark = len(workshop.registry.requests())
    changed = workshop.build(*sources(workshop, "app:1"), tag="app:2")
    assert ran(changed) == ["RUN echo another > /last"]
    base, data, tool, _ = layers(workshop, "app:1")
    everything = {base, data, tool} | stored_layers(workshop)
    assert downloaded(workshop, mark) & everything == {base, data, tool}

    # Not even these, if the step that is to run stands on something else.
    change(workshop, "RUN echo a tool > /tool", "RUN echo a tool > /tool && true")
    change(workshop, "echo another", "echo of the last step")
    mark = len(workshop.registry.requests())
    changed = workshop.build(*sources(workshop, "app:1"), tag="app:3")
    assert ran(changed) == ["RUN echo a tool > /tool && true"]
    assert downloaded(workshop, mark) & everything == {base}


def stored_layers(workshop: Workshop) -> set[str]:
    """Digests of all compressed blobs of the registry."""
    blobs = workshop.registry.data.glob("docker/registry/v2/blobs/sha256/*/*/data")
    return {f"sha256:{blob.parent.name}" for blob in blobs if blob.read_bytes()[:2] == b"\x1f\x8b"}


def test_promise_7_every_miss_says_why(two_stages: Workshop) -> None:
    first = two_stages.build(tag="app:1")
    assert {step["reason"] for step in first.result["steps"]} == {"NoCacheSource"}

    two_stages.write("src/library", "another\n")
    changed = two_stages.build(*sources(two_stages, "app:1"), tag="app:2")
    steps = {step["instruction"]: step for step in changed.result["steps"]}
    copy, run = steps["COPY src ."], steps["RUN cat main library > program"]
    assert (copy["outcome"], copy["reason"], copy["detail"]) == ("miss", "FilesChanged", ["src/library"])
    assert copy["compared_with"] == f"{two_stages.ref('app:1')}@{first.digest}"
    assert (run["outcome"], run["reason"]) == ("miss", "ParentMissed")
    tool = steps["RUN echo a tool > /tool"]
    assert (tool["outcome"], tool["source"]) == ("hit", two_stages.ref("app:1"))
    assert all(step["reason"] for step in steps.values() if step["outcome"] == "miss")
    assert "src/library" in changed.log
