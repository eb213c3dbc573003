"""Promises of docs/promises.md that speak of BuildKit, shown with a real one; the others: tests/integration."""

from pathlib import Path

import pytest

from tests.interop.engine import Built
from tests.interop.workshop import Workshop
from tests.support.daemons import Buildkitd
from tests.support.images import push_busybox

pytestmark = [pytest.mark.interop, pytest.mark.root, pytest.mark.registry]


@pytest.fixture
def context(workshop: Workshop, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Two stages, in words that no other test has."""
    (tmp_path / "file").write_text("of the context\n")
    (tmp_path / "file").chmod(0o644)
    (tmp_path / "Dockerfile").write_text(
        f"""FROM {push_busybox(workshop.registry.host)} AS build
WORKDIR /src
COPY file .
RUN cat file > {request.node.name} && echo the builder stage runs
FROM {push_busybox(workshop.registry.host)}
RUN echo {request.node.name} > /name
COPY --from=build /src/{request.node.name} /
"""
    )
    return tmp_path


def build(workshop: Workshop, context: Path, tag: str, *options: str) -> Built:
    """Our build, and its push as TAG."""
    arguments = ["--push", "--tag", f"{workshop.registry.host}/{tag}", *options, str(context)]
    return workshop.engine.build(f"promises/{tag}", arguments)


def test_promise_1_metadata_in_the_image(workshop: Workshop, buildkitd: Buildkitd, context: Path) -> None:
    host = workshop.registry.host
    build(workshop, context, "promise-1/ours:1", "--cache-to", "type=inline")
    assert "moby.buildkit.cache.v0" in workshop.config(f"{host}/promise-1/ours:1")

    # BuildKit knows nothing but our image, and every step is cached.
    buildkitd.forget()
    theirs = f"{host}/promise-1/theirs:1"
    assert buildkitd.build(context, theirs, cache_from=f"{host}/promise-1/ours:1").executed == []

    # And the other way round: an image that BuildKit made without us is all that we need.
    buildkitd.forget()
    buildkitd.build(context, theirs)
    assert build(workshop, context, "promise-1/again:1", "--cache-from", theirs).executed == []


def test_promise_8_buildkits_registry_cache_both_ways(workshop: Workshop, buildkitd: Buildkitd, context: Path) -> None:
    host = workshop.registry.host
    ours, theirs = (f"type=registry,ref={host}/promise-8/cache:{who}" for who in ("ours", "theirs"))
    build(workshop, context, "promise-8/ours:1", "--cache-to", f"{ours},mode=max")

    buildkitd.forget()
    from_ours = buildkitd.build_with(context, f"{host}/promise-8/theirs:1", imports=[ours])
    assert from_ours.executed == []

    buildkitd.forget()
    buildkitd.build_with(context, f"{host}/promise-8/theirs:2", exports=[f"{theirs},mode=max"])
    assert build(workshop, context, "promise-8/ours:2", "--cache-from", theirs).executed == []


def test_promise_8_any_builder_finds_any_step_in_the_step_cache(workshop: Workshop, context: Path) -> None:
    steps = f"type=steps,ref={workshop.registry.host}/promise-8/steps"
    build(workshop, context, "promise-8/one:1", "--cache-to", steps)

    # Another image, which shares a stage only: made by somebody who has never heard of the first one.
    dockerfile = context / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().rpartition("COPY")[0] + "RUN echo of another image > /other\n")
    dockerfile.write_text(dockerfile.read_text() + "COPY --from=build /src/file /\n")
    other = build(workshop, context, "promise-8/two:1", "--cache-from", steps)
    assert other.executed == ["RUN echo of another image > /other", "COPY --from=build /src/file /"]
