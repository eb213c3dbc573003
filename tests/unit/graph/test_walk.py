"""Walking the graph."""

from imagebuild_engine.core.graph import Edge, LocalSource, Vertex, walk


def vertex(name: str, *inputs: Vertex) -> Vertex:
    return Vertex(op=LocalSource(name=name), inputs=tuple(Edge(item) for item in inputs), description=name)


def test_inputs_come_before_users_and_each_once() -> None:
    base = vertex("base")
    left, right = vertex("left", base), vertex("right", base)
    target = vertex("target", left, right, base)
    assert [item.description for item in walk(Edge(target))] == ["base", "left", "right", "target"]


def test_equal_steps_at_two_places_stay_two() -> None:
    one, two = vertex("same"), vertex("same")
    assert len(list(walk(Edge(vertex("target", one, two))))) == 3


def test_a_long_chain_does_not_exhaust_the_stack() -> None:
    current = vertex("0")
    for number in range(5000):
        current = vertex(str(number), current)
    assert len(list(walk(Edge(current)))) == 5001
