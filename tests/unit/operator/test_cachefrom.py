"""cache.from: declared order, pinned by digest."""

from typing import Any

from imagebuild_operator.reconcile import Sibling, resolve
from imagebuild_operator.resource import HistoryEntry, Identity, Image, Status, parse_spec

from tests.support.image_builds import spec_of

ME = Identity(namespace="shop", name="web", uid="u")


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def built(letter: str, when: str = "2026-01-01T00:00:00Z") -> Status:
    image = Image(ref=f"registry.example/shop/{letter}@{digest(letter)}", digest=digest(letter))
    return Status(phase="Succeeded", image=image, completion_time=when)


def sibling(name: str, status: Status, namespace: str = "shop", **labels: str) -> Sibling:
    return Sibling(namespace=namespace, name=name, labels=labels, status=status)


def refs(
    entries: list[dict[str, Any]],
    status: Status,
    *siblings: Sibling,
    bound: tuple[str, ...] | None = None,
    **cache: Any,
) -> list[tuple[str, str, str]]:
    spec = parse_spec(spec_of(cache={"from": entries, **cache}))
    return [(one.from_, one.ref, one.outcome) for one in resolve(ME, spec, status, siblings, bound)]


def test_order_is_the_declared_one() -> None:
    entries: list[dict[str, Any]] = [{"image": "a/b:1"}, {"imageBuildRef": {"name": "main"}}, {"previous": {}}]
    found = refs(entries, built("a"), sibling("main", built("b")))
    assert [kind for kind, _, _ in found] == ["image", "imagebuild", "previous", "previous"]
    backwards = refs(entries[::-1], built("a"), sibling("main", built("b")))
    assert backwards == [*found[2:], found[1], found[0]]
    assert found[1][1] == f"registry.example/shop/b@{digest('b')}"
    assert found[2][1] == f"registry.example/shop/a@{digest('a')}"


def test_previous_without_a_success_is_what_the_tag_points_to() -> None:
    assert refs([{"previous": {}}], Status()) == [("previous", "registry.example/shop/web:1", "")]


def test_previous_is_followed_by_what_the_tag_points_to_for_a_registry_that_has_lost_it() -> None:
    assert refs([{"previous": {}}], built("a")) == [
        ("previous", f"registry.example/shop/a@{digest('a')}", ""),
        ("previous", "registry.example/shop/web:1", ""),
    ]


def test_previous_falls_back_to_the_history() -> None:
    entries = (
        HistoryEntry(revision=1, outcome="Succeeded", digest=digest("1")),
        HistoryEntry(revision=2, outcome="Succeeded", digest=digest("2")),
        HistoryEntry(revision=3, outcome="Failed"),
    )
    assert refs([{"previous": {}}], Status(history=entries))[0][1] == f"registry.example/shop/web@{digest('2')}"


def test_a_selector_takes_the_newest_successes_of_the_same_namespace_but_not_itself() -> None:
    siblings = (
        sibling("old", built("1", "2026-01-01T00:00:00Z"), app="web"),
        sibling("new", built("2", "2026-01-03T00:00:00Z"), app="web"),
        sibling("mid", built("3", "2026-01-02T00:00:00Z"), app="web"),
        sibling("other", built("4", "2026-01-04T00:00:00Z"), app="api"),
        sibling("far", built("5", "2026-01-05T00:00:00Z"), namespace="elsewhere", app="web"),
        sibling("web", built("6", "2026-01-06T00:00:00Z"), app="web"),
        sibling("none", Status(phase="Failed"), app="web"),
    )
    found = refs([{"selector": {"matchLabels": {"app": "web"}, "limit": 2}}], Status(), *siblings)
    assert [ref[-64:-63] for _, ref, _ in found] == ["2", "3"]
    again = refs([{"selector": {"matchLabels": {"app": "web"}, "limit": 2}}], Status(), *siblings[::-1])
    assert again == found


def test_what_is_missing_is_an_outcome() -> None:
    entries: list[dict[str, Any]] = [
        {"imageBuildRef": {"name": "nobody"}},
        {"imageBuildRef": {"name": "unbuilt"}},
        {"selector": {"matchLabels": {"a": "b"}}},
    ]
    found = refs(entries, Status(), sibling("unbuilt", Status()))
    assert found == [("imagebuild", "", "not_found"), ("imagebuild", "", "not_found"), ("selector", "", "not_found")]


def test_no_image_is_asked_twice() -> None:
    found = refs(
        [{"imageBuildRef": {"name": "main"}}, {"selector": {"matchLabels": {"a": "b"}}}],
        Status(),
        *(sibling("main", built("b"), a="b"),),
    )
    assert [kind for kind, _, _ in found] == ["imagebuild"]


def test_the_shared_cache_comes_last_and_has_a_kind_of_its_own() -> None:
    found = refs([{"image": "a/b:1"}], Status(), shared={"ref": "registry.example/team/steps"})
    assert [(kind, ref) for kind, ref, _ in found] == [
        ("image", "docker.io/a/b:1"),
        ("shared", "registry.example/team/steps"),
    ]


def test_a_disabled_cache_asks_nobody() -> None:
    assert refs([{"previous": {}}], built("a"), disabled=True, shared={"ref": "registry.example/team/steps"}) == []


def test_what_the_spec_names_is_believed_unless_it_says_whom_to_believe() -> None:
    entries: list[dict[str, Any]] = [{"image": "elsewhere.example/x:1"}, {"imageBuildRef": {"name": "main"}}]
    main = sibling("main", built("b"))
    assert [outcome for _, _, outcome in refs(entries, Status(), main)] == ["", ""]
    trust = {"repositories": ["registry.example/shop/*"]}
    assert [outcome for _, _, outcome in refs(entries, Status(), main, trust=trust)] == ["untrusted", ""]


def test_nothing_in_a_spec_widens_the_administrators_bound() -> None:
    entries: list[dict[str, Any]] = [{"image": "elsewhere.example/x:1"}, {"previous": {}}]
    bound = ("registry.example/**",)
    shared = {"ref": "elsewhere.example/steps"}
    for trust in (None, {"repositories": ["**"]}):
        found = refs(entries, Status(), bound=bound, shared=shared, trust=trust)
        assert [outcome for _, _, outcome in found] == ["untrusted", "", "untrusted"]
    narrow = refs(entries, Status(), bound=("**",), trust={"repositories": ["registry.example/other/*"]})
    assert [outcome for _, _, outcome in narrow] == ["untrusted", "untrusted"]
