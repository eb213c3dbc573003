"""Content checksums: BuildKit's own preimages, the worked examples, and a tree that is hashed naively beside ours."""

import posixpath

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
    entry_header,
)
from imagebuild_engine.core.oci import Digest

from tests.support.golden import case, golden

EMPTY = Digest.of(b"")


def file(path: str, data: bytes = b"") -> TreeEntry:
    header = entry_header(mode=0o644, uid=0, gid=0, size=len(data), typeflag="0", linkname="")
    return TreeEntry(path, "file", Digest.of(header + data))


def folder(path: str) -> TreeEntry:
    header = entry_header(mode=0o755, uid=0, gid=0, size=0, typeflag="5", linkname="")
    return TreeEntry(path, "dir", Digest.of(header))


def link(path: str, target: str) -> TreeEntry:
    header = entry_header(mode=0o777, uid=0, gid=0, size=0, typeflag="2", linkname=target)
    return TreeEntry(path, "symlink", Digest.of(header), target)


def listed(*parts: tuple[str, Digest]) -> Digest:
    return Digest.of(b"".join(name.encode() + digest.encode() for name, digest in parts))


def tree() -> DescribedTree:
    return case("t01").context()


def named(kind: str) -> dict[str, str]:
    return {key: text for key, (found, text) in golden()["preimages_HEAD"].items() if found == kind}


# One entry


def test_the_header_of_a_file_is_that_of_buildkit() -> None:
    header = entry_header(mode=0o644, uid=0, gid=0, size=6, typeflag="0", linkname="")
    assert header == b"namemode420uid0gid0size6typeflag0linknameunamegnamedevmajor0devminor0"
    assert Digest.of(header + b"hello\n") == "sha256:09eefdc91e8894bc767daae7daa5a4e8cbf396610f10ae20604d9086c76d4a93"


def test_set_id_bits_count_and_the_type_does_not() -> None:
    assert b"mode2541uid" in entry_header(mode=0o4755, uid=0, gid=0, size=1, typeflag="0", linkname="")


def test_extended_attributes_are_sorted_and_the_systems_own_are_left_out() -> None:
    plain = entry_header(mode=0o644, uid=0, gid=0, size=0, typeflag="0", linkname="")
    header = entry_header(
        mode=0o644,
        uid=0,
        gid=0,
        size=0,
        typeflag="0",
        linkname="",
        xattrs=[
            ("user.b", b"2"),
            ("security.selinux", b"x"),
            ("system.posix_acl_access", b"x"),
            ("security.capability", b"\x01"),
            ("user.a", b"1"),
        ],
    )
    assert header == plain + b"security.capability\x01user.a1user.b2"


def test_a_device_counts_with_its_numbers_and_a_link_with_its_bytes() -> None:
    header = entry_header(mode=0o600, uid=1, gid=2, size=0, typeflag="3", linkname="", devmajor=4, devminor=5)
    assert header.endswith(b"devmajor4devminor5")
    assert b"linkname\xffuname" in entry_header(mode=0o777, uid=0, gid=0, size=0, typeflag="2", linkname="\udcff")


def test_the_golden_files_have_the_digests_that_buildkit_gave_them() -> None:
    headers = named("file")
    seen = set()
    for name in ("t01", "t09b", "t33", "t34", "t35", "t36"):
        found = case(name)
        for path, facts in found.data["context"].items():
            digest = found.context().checksum(path, follow_links=False)
            if facts.get("type") != "dir" and digest in headers:
                # The golden file keeps the header only; the file's bytes are ours.
                assert digest == Digest.of(headers[digest].encode() + facts.get("text", "").encode())
                seen.add(digest)
    assert len(seen) >= 12


# A tree


def test_a_directory_is_its_header_and_its_children_under_their_names() -> None:
    described = DescribedTree([folder("d"), folder("d/s"), file("d/s/y", b"y\n"), file("d/x", b"x\n")])
    inner = listed(("\0", folder("").digest), ("\0y", file("", b"y\n").digest))
    assert described.checksum("/d/s") == inner
    assert described.checksum("d") == listed(
        ("\0", folder("").digest), ("\0s", inner), ("\0x", file("", b"x\n").digest)
    )


def test_names_are_sorted_component_by_component() -> None:
    described = DescribedTree([folder("a"), file("a/b"), file("a-b"), file("a.b")])
    inner = listed(("\0", folder("").digest), ("\0b", file("").digest))
    assert described.checksum("/") == listed(
        ("\0", EMPTY), ("\0a", inner), ("\0a-b", file("").digest), ("\0a.b", file("").digest)
    )


def test_every_list_of_the_golden_file_is_one_of_our_directories_or_patterns() -> None:
    lists = set(named("file-list"))
    ours = set()
    for name in ("t01", "t09b", "t34", "t35", "t36"):
        context = case(name).context()
        ours |= {context.checksum(path) for path in ["/", *case(name).data["context"]]}
    ours |= {tree().pattern_checksum(pattern) for pattern in ("/*.txt", "/a.tx?")}
    # The others are of --exclude and --parents, of .dockerignore, and of trees that steps wrote.
    assert len(lists & ours) >= 8


def test_the_root_has_its_own_header_unless_it_is_a_context() -> None:
    own = folder("").digest
    assert DescribedTree([], root_digest=own).checksum("/") == listed(("\0", own))
    assert DescribedTree([]).checksum("/") == listed(("\0", EMPTY))


def test_a_deep_tree_does_not_exhaust_the_stack() -> None:
    paths = ["/".join(["d"] * depth) for depth in range(1, 2001)]
    digest = folder("").digest
    expected = listed(("\0", digest))
    for _ in range(1999):
        expected = listed(("\0", digest), ("\0d", expected))
    assert DescribedTree([folder(path) for path in paths]).checksum("d") == expected


# Links


LINKS = DescribedTree(
    [
        folder("d"),
        file("d/x", b"x"),
        link("d/up", "../a"),
        file("a", b"a"),
        link("abs", "/d"),
        link("rel", "d/up"),
        link("out", "../../../../a"),
        link("round", "round"),
        link("gone", "nowhere"),
        link("detour", "nowhere/../a"),
    ]
)


@pytest.mark.parametrize(
    ("path", "same"),
    [
        ("/abs/x", "/d/x"),
        ("/rel", "/a"),
        ("/out", "/a"),
        ("/abs/up", "/a"),
        ("/abs", "/d"),
        ("/detour", "/a"),
        ("/abs/../a", "/a"),
    ],
)
def test_links_are_resolved_inside_the_tree(path: str, same: str) -> None:
    assert LINKS.checksum(path) == LINKS.checksum(same, follow_links=False)


def test_the_last_link_is_followed_only_when_asked_to() -> None:
    assert LINKS.checksum("/abs/up", follow_links=False) == link("", "../a").digest


@pytest.mark.parametrize("path", ["/missing", "/round", "/gone", "/a/b", "/d/missing"])
def test_what_is_not_there_is_said_by_its_path(path: str) -> None:
    with pytest.raises(PathNotFound) as error:
        LINKS.checksum(path)
    assert error.value.path == path


# Patterns


def test_a_pattern_lists_what_it_matches() -> None:
    a, b = (tree().checksum(name) for name in ("a.txt", "b.txt"))
    assert tree().pattern_checksum("/*.txt") == listed(("\0a.txt", a), ("\0b.txt", b))


def test_one_match_of_another_name_is_still_a_list() -> None:
    assert tree().pattern_checksum("/a.tx?") == listed(("\0a.txt", tree().checksum("a.txt")))


def test_one_match_of_the_same_name_is_the_entry_alone() -> None:
    assert tree().pattern_checksum("/*/x") == tree().checksum("/d/x")


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
    assert context.pattern_checksum("/[d]") == listed(*parts)
    # `dl` is a link to d: matched itself, it counts with all that d holds.
    assert context.pattern_checksum("/d*") == listed(*parts, ("\0dl", context.checksum("/d")))
    assert context.pattern_checksum("/d*", follow_links=False) == listed(
        *parts, ("\0dl", context.checksum("/dl", follow_links=False))
    )


def test_what_stands_before_the_wildcard_is_looked_up_through_links_and_does_not_count() -> None:
    assert (
        tree().pattern_checksum("/dl/[x]")
        == tree().pattern_checksum("/d/[x]")
        == listed(("\0x", tree().checksum("/d/x")))
    )


def test_no_match_is_the_digest_of_nothing() -> None:
    assert tree().pattern_checksum("/*.go") == tree().pattern_checksum("/nowhere/*") == EMPTY


def test_a_matched_link_to_nowhere_is_an_error() -> None:
    with pytest.raises(PathNotFound):
        LINKS.pattern_checksum("/g*")


def test_a_negated_class_may_match_a_slash_as_in_go() -> None:
    assert LINKS.pattern_checksum("/d[^a]x") == listed(("\0d\0x", file("", b"x").digest))


# Patterns as v0.8 has them


def test_an_older_version_joins_base_names_and_whole_contents() -> None:
    context = tree()
    x, y = context.checksum("/d/x"), context.checksum("/d/s")
    assert context.pattern_checksum_by_names("/d/[sx]") == Digest.of(f"s{y}\0x{x}".encode())
    assert context.pattern_checksum_by_names("/*/x") == x
    assert context.pattern_checksum_by_names("/*.go") == EMPTY


def test_an_older_version_follows_a_link_that_is_matched() -> None:
    followed, as_it_is = (LINKS.checksum("/abs", follow_links=follow) for follow in (True, False))
    assert LINKS.pattern_checksum_by_names("/ab?") == Digest.of(f"abs{followed}".encode())
    assert LINKS.pattern_checksum_by_names("/ab?", follow_links=False) == Digest.of(f"abs{as_it_is}".encode())


def test_what_is_beside_a_directory_is_told_from_what_is_in_it() -> None:
    """Lists of base names alone, as v0.9 to v0.25 have them, do not: the two trees below would share a key."""
    inside = DescribedTree([folder("d"), folder("d/a"), file("d/a/x")])
    beside = DescribedTree([folder("d"), folder("d/a"), file("d/x")])
    asked = ContentRequest(selectors=(ContentSelector(path="/d*", wildcard=True),))
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
    assert both == Digest.of(f"{tree().pattern_checksum('/*.txt')}\0{tree().checksum('/d')}".encode())


def test_the_same_path_with_and_without_following_links_is_two_things() -> None:
    selectors = (ContentSelector(path="/lnk"), ContentSelector(path="/lnk", follow_links=False))
    checksums = sorted([tree().checksum("/lnk"), tree().checksum("/lnk", follow_links=False)])
    found = ContentRequest(selectors=selectors).digest(tree())
    assert found in {Digest.of("\0".join(order).encode()) for order in (checksums, checksums[::-1])}


# Against a naive reading of the definition


@st.composite
def trees(draw: st.DrawFn) -> dict[str, bytes | None]:
    """Paths to bytes, or to None for directories; parents are always there."""
    names = st.sampled_from(["a", "b", "a-b", "a.b", "\udcff", "\x01", "z"])
    found: dict[str, bytes | None] = {}
    for parts, data in draw(st.lists(st.tuples(st.lists(names, min_size=1, max_size=4), st.binary(max_size=3)))):
        parents = ["/".join(parts[:number]) for number in range(1, len(parts))]
        if all(found.get(parent) is None for parent in parents) and "/".join(parts) not in found:
            found.update(dict.fromkeys(parents))
            found["/".join(parts)] = data
    return found


@given(trees())
def test_directories_are_what_a_naive_reading_says(found: dict[str, bytes | None]) -> None:
    def naive(path: str) -> bytes:
        data = found.get(path)
        if data is not None:
            return file(path, data).digest.encode()
        header = folder("").digest if path else EMPTY
        children = [child for child in found if posixpath.dirname(child) == path]
        text = b"\0" + header.encode()
        for child in sorted(children, key=lambda name: name.encode("utf-8", "surrogateescape")):
            text += b"\0" + posixpath.basename(child).encode("utf-8", "surrogateescape") + naive(child)
        return Digest.of(text).encode()

    described = DescribedTree(
        [folder(path) if data is None else file(path, data) for path, data in reversed(found.items())]
    )
    for path in ["", *found]:
        assert described.checksum("/" + path).encode() == naive(path)
    assert len(described) == len(found)
