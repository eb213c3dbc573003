"""Content checksums: BuildKit's own preimages, the worked examples, and a tree that is hashed naively beside ours."""

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.cache import DescribedTree, PathNotFound, entry_header
from imagebuild_engine.core.oci import Digest

from tests.support.described import EMPTY, LINKS, file, folder, link, listed
from tests.support.golden import case, own


def named(kind: str) -> dict[str, str]:
    return {key: text for key, (found, text) in own()["preimages_HEAD"].items() if found == kind}


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


def test_every_list_of_the_golden_file_is_one_of_our_directories() -> None:
    lists = set(named("file-list"))
    ours = set()
    for name in ("t01", "t09b", "t34", "t35", "t36"):
        context = case(name).context()
        ours |= {context.checksum(path) for path in ["/", *case(name).data["context"]]}
    # The others are of patterns, of .dockerignore, and of trees that steps wrote.
    assert len(lists & ours) >= 6


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
