"""What steps are called: equal names for equal steps on equal inputs, and nothing else has one name."""

import pytest
from imagebuild_engine.core.cache import content_key
from imagebuild_engine.core.graph import Edge, Vertex
from imagebuild_engine.core.oci import Digest
from imagebuild_engine.core.steps import Contents, Names, name_of_tag, tag_of

from tests.support.step_graphs import Graph, digest


def names(graph: Graph, target: Vertex, contents: dict[Vertex, Contents] | None = None) -> Names:
    return Names(Edge(target), contents, graph.key)


def name_of(graph: Graph, target: Vertex, contents: dict[Vertex, Contents] | None = None) -> Digest | None:
    return names(graph, target, contents).wanted(target)


def test_a_name_is_made_of_the_key_and_of_what_the_inputs_are_called() -> None:
    graph = Graph()
    base = graph.source("k1", "k2")
    made = [
        graph.step("a", base),
        graph.step("b", base),
        graph.step("a", graph.source("k1", "other")),
        graph.step("a", base, selects="/"),
        graph.step("a", base, base),
        graph.step("a", graph.step("a", base)),
    ]
    found = [name_of(graph, step) for step in made]
    assert None not in found
    assert len(set(found)) == len(made)
    assert name_of(graph, graph.step("a", base)) == found[0]


def test_an_image_is_called_after_its_layers_whatever_its_reference_resolves_to() -> None:
    graph = Graph()
    one, other = graph.source("index", "layers"), graph.source("manifest", "layers")
    assert name_of(graph, graph.step("a", one)) == name_of(graph, graph.step("a", other))


def test_a_comment_in_the_text_of_a_run_is_no_part_of_names() -> None:
    graph = Graph()
    base = graph.source("base")
    plain, commented = graph.step("make", base), graph.step("make # all", base, normal="make")
    assert name_of(graph, plain) == name_of(graph, commented)
    assert name_of(graph, graph.step("next", plain)) == name_of(graph, graph.step("next", commented))


def test_local_files_are_known_by_content_only() -> None:
    graph = Graph()
    base, local = graph.source("base"), graph.local()
    copy = graph.step("copy", base, local, reads=[1])
    assert name_of(graph, copy) is None
    one = name_of(graph, copy, {copy: {1: (digest("one"),)}})
    assert one is not None
    assert name_of(graph, copy, {copy: {1: (digest("two"),)}}) != one
    known = names(graph, graph.step("next", copy))
    assert known.wanted(known.order[-1]) is None
    known.learn(copy, {1: (digest("one"),)})
    assert known.wanted(copy) == one


def test_of_several_forms_of_content_the_current_one_counts() -> None:
    graph = Graph()
    copy = graph.step("copy", graph.local(), reads=[0])
    forms = (digest("current"), digest("older"))
    assert name_of(graph, copy, {copy: {0: forms}}) == name_of(graph, copy, {copy: {0: forms[:1]}})


def test_who_reads_another_step_has_a_second_name_once_the_content_is_known() -> None:
    graph = Graph()
    base = graph.source("base")
    built = [graph.step(key, base) for key in ("one way", "another way")]
    copies = [graph.step("copy", base, maker, reads=[1]) for maker in built]
    found = [names(graph, copy) for copy in copies]
    assert [known.wanted_by_content(copy) for known, copy in zip(found, copies, strict=True)] == [None, None]
    for known, copy in zip(found, copies, strict=True):
        before = known.wanted(copy)
        known.learn(copy, {1: (digest("the same"),)})
        assert known.wanted(copy) == before
    assert found[0].wanted(copies[0]) != found[1].wanted(copies[1])
    assert found[0].wanted_by_content(copies[0]) == found[1].wanted_by_content(copies[1]) is not None
    identity = found[0].identity(copies[0])
    assert identity is not None
    assert identity.inputs[1].content == (content_key(digest("the same")),)


def test_without_a_step_below_there_is_no_second_name() -> None:
    graph = Graph()
    copy = graph.step("copy", graph.source("base"), graph.local(), reads=[1])
    known = names(graph, copy, {copy: {1: (digest("files"),)}})
    assert known.wanted_by_content(copy) is None


def test_what_follows_a_renamed_step_is_called_after_its_new_name() -> None:
    graph = Graph()
    one, two = graph.chain(graph.source("base"), "one", "two")
    known = names(graph, two)
    before = known.wanted(two)
    known.rename(one, digest("as others call it"))
    assert known.wanted(one) == known.name(one) == digest("as others call it")
    assert known.wanted(two) not in (None, before)


def test_what_rests_on_a_step_that_must_run_is_found_by_content_only() -> None:
    graph = Graph()
    base = graph.source("base")
    built = graph.step("build", base, no_cache=True)
    copy = graph.step("copy", base, built, reads=[1])
    after = graph.step("after", copy)
    known = names(graph, after)
    assert [known.wanted(step) for step in (built, copy, after)] == [None] * 3
    assert None not in [known.name(step) for step in (built, copy, after)]
    known.learn(copy, {1: (digest("files"),)})
    assert known.wanted_by_content(copy) is not None
    known.rename(copy, digest("found"))
    assert known.wanted(after) is not None


def test_content_does_not_help_where_the_tree_below_must_be_made_anew() -> None:
    graph = Graph()
    base = graph.step("base", graph.source("base"), no_cache=True)
    copy = graph.step("copy", base, graph.step("build", graph.source("base")), reads=[1])
    known = names(graph, copy, {copy: {1: (digest("files"),)}})
    assert known.by_content(copy) is not None
    assert known.wanted_by_content(copy) is None


def test_a_tag_stands_for_a_name() -> None:
    name = digest("x")
    assert name_of_tag(tag_of(name)) == name
    assert len(tag_of(name)) <= 128


@pytest.mark.parametrize(
    "tag",
    ["", "latest", "step-", "step-" + "a" * 63, "step-" + "A" * 64, "step-" + "a" * 65, "a" * 64, "step-" + "g" * 64],
)
def test_other_tags_stand_for_none(tag: str) -> None:
    assert name_of_tag(tag) is None
