"""A step cache read through a real solve: what it is asked, what is used of it, and what it can do to a build."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
from imagebuild_engine.build.imports import Imported, ImportPolicy
from imagebuild_engine.build.layers import Context, LocalLayer, Result, Tree
from imagebuild_engine.build.step_caches import StepCaches
from imagebuild_engine.build.supplier import Patience, Supplier
from imagebuild_engine.contract import CacheSource
from imagebuild_engine.core.cache import CacheResult
from imagebuild_engine.core.frontend import Lowered
from imagebuild_engine.core.graph import ContentRequest, LocalSource, Vertex, cache_map, walk
from imagebuild_engine.core.oci import Digest, MediaType
from imagebuild_engine.core.solver import Hit, Solve, Solved
from imagebuild_engine.core.steps import Names, encode_step, tag_of
from imagebuild_engine.host.registry import RegistryClient, RetryPolicy

from tests.support.faults import FaultyRegistry, Hang, Status
from tests.support.lowering import lowered
from tests.support.step_graphs import digest, record_of
from tests.support.views import Recorder

OLDEST = "2025-12-31T00:00:00Z"


@pytest.fixture
async def registry() -> AsyncIterator[FaultyRegistry]:
    async with FaultyRegistry() as running:
        yield running


@dataclass
class Hands:
    """Does nothing; `contents` are of what is read, by name of the context or instruction of the step."""

    imported: Sequence[Imported] = ()
    contents: dict[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)

    async def load(self, vertex: Vertex, source: int, result: CacheResult) -> Result | None:
        return self.imported[source].tree(result)

    async def digests(self, vertex: Vertex, number: int, result: Result, request: ContentRequest) -> tuple[Digest, ...]:
        below = vertex.inputs[number].vertex
        name = below.op.name if isinstance(below.op, LocalSource) else below.description
        return (digest(self.contents.get(name, name)),)

    async def execute(self, vertex: Vertex, inputs: Sequence[Result]) -> Result:
        if isinstance(vertex.op, LocalSource):
            return Context(vertex.op.name)
        if vertex.origin is not None:
            self.ran.append(vertex.origin.instruction)
        return Tree((LocalLayer(name=vertex.description, created=""),))

    def gone(self, result: Result) -> bool:
        return False


@dataclass
class Outcome:
    imported: Imported
    solve: Solve[Result]
    ran: list[str]
    warnings: list[str]
    steps: StepCaches

    @property
    def hits(self) -> list[str]:
        found = (item for item in self.solve.solved.values() if isinstance(item.outcome, Hit))
        return [item.vertex.origin.instruction for item in found if item.vertex.origin]


def chain(count: int) -> Lowered:
    return lowered("FROM base\n" + "".join(f"RUN step {number}\n" for number in range(count)))


def fill(registry: FaultyRegistry, plan: Lowered, *, only: Sequence[str] = (), hands: Hands | None = None) -> None:
    """As if a builder had made all of it, or only these instructions."""
    assert plan.target is not None
    known = hands.contents if hands else {}
    contents = {}
    for vertex in walk(plan.target):
        names_read = {
            number: edge.vertex.op.name if isinstance(edge.vertex.op, LocalSource) else edge.vertex.description
            for number, (edge, key) in enumerate(zip(vertex.inputs, cache_map(vertex.op).inputs, strict=True))
            if key.content is not None
        }
        contents[vertex] = {number: (digest(known.get(name, name)),) for number, name in names_read.items()}
    names = Names(plan.target, contents)
    for vertex in plan.steps:
        if not only or (vertex.origin and vertex.origin.instruction in only):
            for name in {names.wanted(vertex), names.by_content(vertex)} - {None}:
                assert name is not None
                data = encode_step(record_of(names, vertex))
                registry.add_manifest("steps", tag_of(name), data, MediaType.OCI_MANIFEST)


async def solved(
    registry: FaultyRegistry,
    plan: Lowered,
    *,
    hands: Hands | None = None,
    deadline: float = 30.0,
    oldest: str = "",
) -> Outcome:
    assert plan.target is not None
    patience, seen, hands = Patience(deadline), Recorder(), hands or Hands()
    source = CacheSource(ref=f"{registry.host}/steps", type="steps")
    imported = Imported(source=source, answered="unused", supplier=Supplier(patience))
    hands.imported = [imported]
    async with RegistryClient(retries=RetryPolicy(attempts=1)) as client:
        policy = ImportPolicy(patience=patience, oldest=oldest)
        steps = await StepCaches.opened(client, [imported], plan.target, hands, seen, policy)

        async def discover(found: Solved[Result]) -> dict[int, frozenset[int]]:
            return dict(await steps.discover(found, solve.solved))

        solve = Solve[Result](hands, [imported.index], discover=discover)
        await solve.run(plan.target)
        await steps.complete(solve.solved)
    return Outcome(imported, solve, hands.ran, seen.warnings, steps)


def asked(registry: FaultyRegistry) -> int:
    return len(registry.requests("GET", "/manifests/"))


async def test_a_full_hit_costs_one_round_of_requests(registry: FaultyRegistry) -> None:
    fill(registry, chain(40))
    done = await solved(registry, chain(40))
    assert (done.ran, len(done.hits)) == ([], 40)
    assert asked(registry) == 8


async def test_without_a_hit_every_name_is_asked_for_once(registry: FaultyRegistry) -> None:
    done = await solved(registry, chain(40))
    assert len(done.ran) == 40
    assert asked(registry) == 40
    assert (done.imported.outcome, done.warnings) == ("unused", [])


async def test_all_steps_of_a_full_hit_have_results_to_be_written_again(registry: FaultyRegistry) -> None:
    fill(registry, chain(20))
    done = await solved(registry, chain(20))
    index = done.imported.index
    for number, vertex in enumerate(chain(20).steps):
        (found,) = [item for item in done.solve.solved.values() if item.vertex.description == vertex.description]
        results = [result for identity in found.ids[0] if (result := index.result(identity))]
        assert [len(done.imported.tree(result).layers) for result in results] == [number + 1]


async def test_what_follows_a_missing_step_is_found_without_it(registry: FaultyRegistry) -> None:
    fill(registry, chain(20), only=["RUN step 19"])
    assert (await solved(registry, chain(20))).ran == []


STAGES = """FROM base AS build
RUN {make}
FROM base
RUN first
COPY --from=build /out /out
RUN last
"""


async def test_a_change_above_the_same_content_runs_nothing_else(registry: FaultyRegistry) -> None:
    hands = Hands()
    theirs, mine = lowered(STAGES.format(make="make")), lowered(STAGES.format(make="make -j"))
    for plan in (theirs, mine):
        hands.contents[plan.steps[0].description] = "the same files"
    fill(registry, theirs, hands=hands)
    assert (await solved(registry, mine, hands=hands)).ran == ["RUN make -j"]


async def test_another_content_runs_what_reads_it_and_what_follows(registry: FaultyRegistry) -> None:
    fill(registry, lowered(STAGES.format(make="make")))
    done = await solved(registry, lowered(STAGES.format(make="make -j")))
    assert done.ran == ["RUN make -j", "COPY --from=build /out /out", "RUN last"]


async def test_files_of_the_context_are_known_before_anything_is_asked(registry: FaultyRegistry) -> None:
    text = "FROM base\nRUN first\nCOPY . /\n" + "".join(f"RUN step {number}\n" for number in range(5))
    fill(registry, lowered(text))
    done = await solved(registry, lowered(text))
    assert (done.ran, asked(registry)) == ([], 7)
    done = await solved(registry, lowered(text), hands=Hands(contents={"context": "changed"}))
    assert done.ran == ["COPY . /", *(f"RUN step {number}" for number in range(5))]


@pytest.mark.parametrize(("status", "outcome"), [(401, "unauthorized"), (403, "unauthorized"), (503, "error")])
async def test_a_cache_that_fails_is_not_asked_again(registry: FaultyRegistry, status: int, outcome: str) -> None:
    registry.fail("GET", "/manifests/", Status(status), times=1000)
    done = await solved(registry, chain(40))
    assert len(done.ran) == 40
    assert asked(registry) <= 8
    assert (done.imported.outcome, len(done.warnings)) == (outcome, 1)


async def test_a_cache_that_does_not_answer_is_given_up(registry: FaultyRegistry) -> None:
    registry.fail("GET", "/manifests/", Hang(), times=1000)
    done = await solved(registry, chain(40), deadline=0.3)
    assert len(done.ran) == 40
    assert asked(registry) <= 8
    assert (done.imported.outcome, len(done.warnings)) == ("timeout", 1)


async def test_what_was_found_before_a_failure_is_used(registry: FaultyRegistry) -> None:
    fill(registry, chain(40), only=["RUN step 30"])
    names = Names(chain(40).target)  # type: ignore[arg-type]
    (name,) = [names.wanted(step) for step in names.order if step.description.endswith("step 25")]
    assert name is not None
    registry.fail("GET", f"/manifests/{tag_of(name)}", Status(401), times=1000)
    done = await solved(registry, chain(40))
    assert done.ran == [f"RUN step {number}" for number in range(31, 40)]


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 10_000, b'{"schemaVersion": 2}'])
async def test_a_broken_record_is_none(registry: FaultyRegistry, data: bytes) -> None:
    fill(registry, chain(40))
    for (repository, tag), _ in list(registry.manifests.items()):
        registry.manifests[repository, tag] = (MediaType.OCI_MANIFEST, data)
    done = await solved(registry, chain(40))
    assert len(done.ran) == 40
    assert (done.imported.outcome, len(done.warnings)) == ("invalid", 1)


async def test_one_broken_record_among_others_is_told_and_no_more(registry: FaultyRegistry) -> None:
    fill(registry, chain(9))
    names = Names(chain(9).target)  # type: ignore[arg-type]
    name = names.wanted(names.order[-1])
    assert name is not None
    registry.add_manifest("steps", tag_of(name), b"{}", MediaType.OCI_MANIFEST)
    done = await solved(registry, chain(9))
    assert done.ran == ["RUN step 8"]
    assert (done.imported.answered, len(done.warnings)) == ("unused", 1)


async def test_a_record_under_another_name_is_none(registry: FaultyRegistry) -> None:
    fill(registry, chain(2))
    names = Names(chain(2).target)  # type: ignore[arg-type]
    first, second = (names.wanted(step) for step in names.order[-2:])
    assert first is not None
    assert second is not None
    registry.manifests["steps", tag_of(second)] = registry.manifests["steps", tag_of(first)]
    assert (await solved(registry, chain(2))).ran == ["RUN step 1"]


async def test_what_is_too_old_is_not_used(registry: FaultyRegistry) -> None:
    fill(registry, chain(3))
    assert (await solved(registry, chain(3), oldest=OLDEST)).ran == []
    done = await solved(registry, chain(3), oldest="2026-01-01T12:00:00.5Z")
    assert len(done.ran) == 3
    assert len(done.imported.expired) == 3
