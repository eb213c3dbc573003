"""What an op reads of a tree: paths, wildcards and filters, in the forms of all versions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.cache import (
    ContentRequest,
    ContentSelector,
    DescribedTree,
    PathNotFound,
    TreeEntry,
    content_key,
)
from imagebuild_engine.core.cache.listing import Listing, listing
from imagebuild_engine.core.cache.reading import has_one_reading
from imagebuild_engine.core.cache.selection import by_matches, by_names, by_paths
from imagebuild_engine.core.oci import Digest
from imagebuild_engine.core.patterns import BadPattern

from tests.support.described import EMPTY, LINKS, file, folder, link, listed, tree
from tests.support.golden import case


def wildcard(path: str, **options: object) -> ContentSelector:
    return ContentSelector(path=path, wildcard=True, **options)  # type: ignore[arg-type]


def names_of(context: DescribedTree, selector: ContentSelector) -> Listing:
    found = selector.read(context)
    assert isinstance(found, Listing)
    return found


def today(context: DescribedTree, selector: ContentSelector) -> Digest:
    return by_paths(context, names_of(context, selector))


def v0_25(context: DescribedTree, selector: ContentSelector) -> Digest | None:
    return by_names(context, names_of(context, selector))


def now(context: DescribedTree, path: str, **options: object) -> Digest:
    return today(context, wildcard(path, **options))


def v0_8(context: DescribedTree, path: str, **options: object) -> Digest | None:
    return by_matches(context, names_of(context, wildcard(path, **options)))


# Patterns


def test_a_pattern_lists_what_it_matches() -> None:
    a, b = (tree().checksum(name) for name in ("a.txt", "b.txt"))
    assert now(tree(), "/*.txt") == listed(("\0a.txt", a), ("\0b.txt", b))


def test_one_match_of_another_name_is_still_a_list() -> None:
    assert now(tree(), "/a.tx?") == listed(("\0a.txt", tree().checksum("a.txt")))


def test_one_match_of_the_same_name_is_the_entry_alone() -> None:
    assert now(tree(), "/*/x") == tree().checksum("/d/x")


def test_a_matched_directory_counts_with_headers_and_all_below() -> None:
    header = folder("").digest
    context = tree()
    parts = (
        ("\0d", header),
        ("\0d\0l", context.checksum("/d/l", follow_links=False)),
        ("\0d\0s", header),
        ("\0d\0s\0y", context.checksum("/d/s/y")),
        ("\0d\0x", context.checksum("/d/x")),
    )
    assert now(context, "/[d]") == listed(*parts)
    # `dl` is a link to d: matched itself, it counts with all that d holds.
    assert now(context, "/d*") == listed(*parts, ("\0dl", context.checksum("/d")))
    assert now(context, "/d*", follow_links=False) == listed(
        *parts, ("\0dl", context.checksum("/dl", follow_links=False))
    )


def test_what_stands_before_the_wildcard_is_looked_up_through_links_and_does_not_count() -> None:
    assert now(tree(), "/dl/[x]") == now(tree(), "/d/[x]") == listed(("\0x", tree().checksum("/d/x")))


def test_no_match_is_the_digest_of_nothing() -> None:
    assert now(tree(), "/*.go") == now(tree(), "/nowhere/*") == EMPTY


def test_a_matched_link_to_nowhere_is_an_error() -> None:
    with pytest.raises(PathNotFound):
        now(LINKS, "/g*")


def test_a_negated_class_may_match_a_slash_as_in_go() -> None:
    assert now(LINKS, "/d[^a]x") == listed(("\0d\0x", file("", b"x").digest))


# Patterns as v0.8 has them


def test_an_older_version_joins_base_names_and_whole_contents() -> None:
    context = tree()
    x, y = context.checksum("/d/x"), context.checksum("/d/s")
    assert v0_8(context, "/d/[sx]") == Digest.of(f"s{y}\0x{x}".encode())
    assert v0_8(context, "/*/x") == x
    assert v0_8(context, "/*.go") == EMPTY


def test_an_older_version_follows_a_link_that_is_matched() -> None:
    followed, as_it_is = (LINKS.checksum("/abs", follow_links=follow) for follow in (True, False))
    assert v0_8(LINKS, "/ab?") == Digest.of(f"abs{followed}".encode())
    assert v0_8(LINKS, "/ab?", follow_links=False) == Digest.of(f"abs{as_it_is}".encode())


def test_what_is_beside_a_directory_is_told_from_what_is_in_it() -> None:
    """Lists of base names alone, as v0.9 to v0.25 have them, do not: the two trees below would share a key."""
    inside = DescribedTree([folder("d"), folder("d/a"), file("d/a/x")])
    beside = DescribedTree([folder("d"), folder("d/a"), file("d/x")])
    asked = ContentRequest(selectors=(wildcard("/d*"),))
    assert len(asked.digests(inside)) == len(asked.digests(beside)) == 2
    assert not set(asked.digests(inside)) & set(asked.digests(beside))


def test_a_plain_path_has_one_digest_for_all_versions() -> None:
    asked = ContentRequest(selectors=(ContentSelector(path="/a.txt", wildcard=True),))
    assert asked.digests(tree()) == (asked.digest(tree()),)


# What an op asks for


def test_the_content_digest_is_over_all_checksums_even_if_there_is_one() -> None:
    digest = ContentRequest(selectors=(ContentSelector(path="/a.txt", wildcard=True),)).digest(tree())
    assert digest == Digest.of(tree().checksum("/a.txt").encode())
    assert content_key(digest) == "sha256:c24a47b576469b52903dd7e5045a62fee5855b447dee1771d67b829458d2c08e"


def test_without_selectors_the_whole_tree_is_meant() -> None:
    assert ContentRequest().digest(tree()) == Digest.of(tree().checksum("/").encode())


def test_what_lies_below_another_source_is_not_hashed_twice() -> None:
    """A source that may be expanded but has no wildcard is plain: `COPY d/x d ./`."""

    def digest(*paths: str) -> Digest:
        return ContentRequest(selectors=tuple(ContentSelector(path=path, wildcard=True) for path in paths)).digest(
            tree()
        )

    assert digest("/d/x", "/d", "/d") == digest("/d")
    assert digest("/a.txt", "/") == digest("/")
    assert digest("/b.txt", "/a.txt") == digest("/a.txt", "/b.txt")
    assert digest("/d", "/dl") != digest("/d")  # a common beginning is not a parent


def test_patterns_are_kept_beside_plain_sources() -> None:
    both = ContentRequest(selectors=(ContentSelector(path="/d"), ContentSelector(path="/*.txt", wildcard=True))).digest(
        tree()
    )
    assert both == Digest.of(f"{now(tree(), '/*.txt')}\0{tree().checksum('/d')}".encode())


def test_the_same_path_with_and_without_following_links_is_two_things() -> None:
    selectors = (ContentSelector(path="/lnk"), ContentSelector(path="/lnk", follow_links=False))
    checksums = sorted([tree().checksum("/lnk"), tree().checksum("/lnk", follow_links=False)])
    found = ContentRequest(selectors=selectors).digest(tree())
    assert found in {Digest.of("\0".join(order).encode()) for order in (checksums, checksums[::-1])}


# Filters: --exclude and --parents


HEADER = folder("").digest


def chosen(context: DescribedTree, path: str = "/", **options: object) -> list[str]:
    found = listing(context, path, wildcard=False, follow_links=True, **options)  # type: ignore[arg-type]
    return [entry.path for entry in found.entries]


def test_exclusion_lists_what_is_left_and_not_the_root_itself() -> None:
    """t40: links at the top of the root count with what they lead to, though they are copied as links."""
    context = tree()
    selector = wildcard("/", exclude=("*.txt", "d/s"))
    assert today(context, selector) == listed(
        ("\0Dockerfile", context.checksum("/Dockerfile")),
        ("\0d", HEADER),
        ("\0d\0l", context.checksum("/d/l", follow_links=False)),
        ("\0d\0x", context.checksum("/d/x")),
        ("\0dl", context.checksum("/d")),
        ("\0lnk", context.checksum("/a.txt")),
    )


def test_the_records_of_v0_25_and_of_today_know_the_excluding_case() -> None:
    found = case("t40")
    asked = ContentRequest(selectors=(wildcard("/", exclude=("*.txt", "d/s")),))
    keys = [content_key(digest) for digest in asked.digests(found.context())]
    roots = [{digest for digest, inputs, *_ in found.records(version) if not inputs} for version in ("HEAD", "v0.25.2")]
    assert len(keys) == 2
    assert keys[0] in roots[0]
    assert keys[1] in roots[1]


def test_a_directory_is_listed_with_its_own_header() -> None:
    context = tree()
    assert today(context, wildcard("/d", exclude=("s",))) == listed(
        ("\0", HEADER), ("\0l", context.checksum("/d/l", follow_links=False)), ("\0x", context.checksum("/d/x"))
    )


def test_inclusion_lists_the_directories_above_and_nothing_else() -> None:
    """t14."""
    context = tree()
    parts = (("\0d", HEADER), ("\0d\0s", HEADER), ("\0d\0s\0y", context.checksum("/d/s/y")))
    for include in ("d/s/y", "d/*/y", "**/y", "d/s"):
        assert today(context, wildcard("/", include=(include,))) == listed(*parts), include


def test_a_pattern_of_a_directory_holds_for_all_below_it() -> None:
    assert chosen(tree(), include=("d", "!d/s")) == ["/d", "/d/l", "/d/x"]
    assert chosen(tree(), include=("d",), exclude=("d/l", "d/s/y")) == ["/d", "/d/s", "/d/x"]


def test_an_excluded_directory_comes_back_with_what_is_taken_out_again() -> None:
    assert chosen(tree(), "/d", exclude=("s", "!s/y", "l", "x")) == ["/d", "/d/s", "/d/s/y"]


def test_patterns_of_a_wildcard_are_asked_relative_to_each_match() -> None:
    context = DescribedTree([folder(name) for name in ("a1", "a2")] + [file(f"a{n}/{f}") for n in "12" for f in "xy"])
    found = listing(context, "/a*", wildcard=True, follow_links=True, exclude=("x",))
    assert [entry.path for entry in found.entries] == ["/a1", "/a1/y", "/a2", "/a2/y"]


def test_nothing_left_is_the_digest_of_nothing_and_one_of_the_name_is_alone() -> None:
    context = tree()
    assert today(context, wildcard("/d", exclude=("**",))) == EMPTY
    assert today(context, wildcard("/d", exclude=("?*",))) == HEADER
    assert today(context, wildcard("/a.txt", exclude=("b*",))) == context.checksum("/a.txt")


def test_the_source_of_a_filter_is_looked_up_through_links_but_for_the_last() -> None:
    context = tree()
    assert chosen(context, "/dl/s", exclude=("q",)) == ["/dl/s", "/dl/s/y"]
    # A link is no directory to be searched: it is the one entry, and counts with all that it leads to.
    assert today(context, wildcard("/dl", exclude=("x",))) == context.checksum("/d")


@pytest.mark.parametrize("required", ["/d/s/y", "/d", "/d/s/"])
def test_what_is_required_and_chosen_is_fine(required: str) -> None:
    assert chosen(tree(), include=("d",), required=(required,))


@pytest.mark.parametrize(("include", "required"), [("d/q", "/d/q"), ("d/s/y", "/a.txt"), ("q", "/q")])
def test_what_is_required_and_not_chosen_is_not_found(include: str, required: str) -> None:
    asked = ContentRequest(selectors=(wildcard("/", include=(include,), required=(required,)),))
    with pytest.raises(PathNotFound, match=required):
        asked.digests(tree())


def test_a_malformed_filter_is_a_bad_pattern() -> None:
    with pytest.raises(BadPattern):
        ContentRequest(selectors=(wildcard("/", exclude=("[",)),)).digests(tree())


def test_filters_keep_a_path_from_being_merged_with_others() -> None:
    plain, filtered = ContentSelector(path="/d/x"), wildcard("/d", exclude=("s",))
    digest = ContentRequest(selectors=(plain, filtered)).digest(tree())
    assert digest == Digest.of(f"{today(tree(), filtered)}\0{tree().checksum('/d/x')}".encode())


def test_a_link_inside_a_directory_is_not_what_it_leads_to() -> None:
    """v0.9 to v0.24 say that it is; so there the two trees below have one key, and we do not write it."""
    linked = DescribedTree([folder("d"), link("d/a", "b"), file("d/b")])
    copied = DescribedTree([folder("d"), file("d/a"), file("d/b")])
    selector = wildcard("/d", exclude=("q",))
    asked = ContentRequest(selectors=(selector,))
    assert v0_25(linked, selector) not in (None, v0_25(copied, selector))
    assert not set(asked.digests(linked)) & set(asked.digests(copied))
    assert len(asked.digests(linked)) == len(asked.digests(copied)) == 2


def test_v0_8_knows_no_filters() -> None:
    assert v0_8(tree(), "/d*", exclude=("q",)) is None


# Lists of base names


def has_one(selector: ContentSelector, *entries: TreeEntry) -> bool:
    return has_one_reading(names_of(DescribedTree(entries), selector))


def test_flat_files_can_be_read_in_one_way() -> None:
    assert has_one(wildcard("/*.txt"), file("a.txt"), file("b.txt"), file("c.txt"))
    assert has_one(wildcard("/*/x"), folder("a"), file("a/x"), folder("b"), file("b/x"))


def test_a_file_that_might_lie_beside_the_directory_is_ambiguous() -> None:
    assert not has_one(wildcard("/*"), folder("d"), file("d/x"))
    assert not has_one(wildcard("/*"), folder("d"), file("x"))


def test_what_comes_after_tells_where_a_file_lies() -> None:
    assert has_one(wildcard("/*"), folder("d"), file("d/x"), file("e"))


def test_what_the_pattern_does_not_match_lies_in_a_directory() -> None:
    assert has_one(wildcard("/d*"), folder("d"), file("d/x"))
    assert not has_one(wildcard("/d*"), folder("d"), file("d/dx"))
    assert not has_one(wildcard("/[d]*"), folder("d"), file("d/x"))  # a class might match a slash


def test_below_one_path_everything_lies_in_it() -> None:
    selector = wildcard("/d", exclude=("q",))
    assert has_one(selector, folder("d"), file("d/a"), file("d/b"))
    assert not has_one(selector, folder("d"), folder("d/s"), file("d/s/t"))


NAMES = st.sampled_from(["a", "b", "c"])
SELECTORS = st.sampled_from(
    [wildcard("/*"), wildcard("/a*"), wildcard("/*/*"), wildcard("/", exclude=("q",)), wildcard("/a", exclude=("q",))]
)


@st.composite
def small_trees(draw: st.DrawFn) -> dict[str, bool]:
    """Paths, and whether each is a directory."""
    found: dict[str, bool] = {}
    for parts in draw(st.lists(st.lists(NAMES, min_size=1, max_size=3), max_size=4)):
        found.update({"/".join(parts[:number]): True for number in range(1, len(parts))})
        found.setdefault("/".join(parts), draw(st.booleans()))
    return found


@given(small_trees(), SELECTORS)
def test_a_list_with_one_reading_is_that_of_no_other_tree(found: dict[str, bool], selector: ContentSelector) -> None:
    """Every other tree that could be listed with these names is built, and listed."""

    def described(paths: dict[str, bool]) -> DescribedTree:
        return DescribedTree([folder(path) if is_folder else file(path) for path, is_folder in paths.items()])

    original = names_of(described(found), selector)
    if not has_one_reading(original) or len(original.entries) > 6:
        return
    true = tuple(entry.depth for entry in original.entries)

    def readings(depths: tuple[int, ...]) -> list[tuple[int, ...]]:
        number = len(depths)
        if number == len(original.entries):
            return [depths]
        deepest = 0 if not depths else depths[-1] + original.entries[number - 1].is_directory
        return [found for depth in range(deepest + 1) for found in readings((*depths, depth))]

    for depths in readings(()):
        other = names_of(described(placed(original, depths, apart=selector.path == "/*/*")), selector)
        if [(entry.name, entry.digest) for entry in other.entries] == [
            (entry.name, entry.digest) for entry in original.entries
        ]:
            assert tuple(entry.depth for entry in other.entries) == true


def placed(found: Listing, depths: tuple[int, ...], *, apart: bool) -> dict[str, bool]:
    """The paths of the entries at these depths; entries at the top each in a directory of its own, if `apart`."""
    above: list[str] = []
    paths: dict[str, bool] = {}
    for number, (entry, depth) in enumerate(zip(found.entries, depths, strict=True)):
        if depth:
            above = [*above[: depth + apart], entry.name]
        else:
            above = [f"p{number}", entry.name] if apart else [entry.name]
            paths.update({above[0]: True} if apart else {})
        paths.setdefault("/".join(above), entry.is_directory)
    return paths


def test_a_long_ambiguous_list_is_given_up_in_time() -> None:
    entries = [folder(f"{number:05}") for number in range(3000)]
    assert not has_one(wildcard("/*"), *entries, *(file(f"{number:05}/{number:05}x") for number in range(3000)))
