"""Keys of ops: BuildKit's own texts, and the rules about selectors and numbers."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from imagebuild_engine.core.cache import ContentRequest, ContentSelector, Spelling, root_key, selector_of
from imagebuild_engine.core.graph import (
    ROOT_MOUNT,
    SCRATCH,
    Chown,
    CopyAction,
    Dialect,
    ExecOp,
    FileAction,
    FileOp,
    ImageSource,
    InputKey,
    LocalSource,
    MkdirAction,
    Mount,
    MountKind,
    NetworkMode,
    Owner,
    UserById,
    UserByName,
    cache_map,
    chain_id,
    op_text,
)
from imagebuild_engine.core.oci import Digest, Platform, Reference

from tests.support.golden import golden

AMD64 = Platform("linux", "amd64")
WHOLE = InputKey(selector=None, content=None)


def copy(source: str, *, source_input: int = 1, on: int = 0, output: int = 0, **options: Any) -> CopyAction:
    return CopyAction(source=source, destination="/", source_input=source_input, input=on, output=output, **options)


def exec_op(*mounts: Mount, **options: Any) -> ExecOp:
    given = {"args": ("true",), **options}
    return ExecOp(env=(), cwd="/", platform=AMD64, mounts=mounts or (ROOT_MOUNT,), **given)


def digest_of(op: ExecOp | FileOp) -> Digest:
    (digest,) = cache_map(op).digests
    return digest


# The golden file: ops rebuilt from what BuildKit hashed


def owner_of(value: dict[str, Any] | None) -> Owner | None:
    if value is None:
        return None
    if name := value["User"].get("byName"):
        return UserByName(name=name["name"], input=name.get("input", 0))
    return UserById(id=value["User"].get("byId", 0))


def chown_of(value: dict[str, Any] | None) -> Chown | None:
    return None if value is None else Chown(user=owner_of(value.get("user")), group=owner_of(value.get("group")))


_COPY = {
    "followSymlink": "follow_symlink",
    "dirCopyContents": "dir_copy_contents",
    "attemptUnpackDockerCompatibility": "unpack_archive",
    "createDestPath": "create_dest_path",
    "allowWildcard": "allow_wildcard",
    "allowEmptyWildcard": "allow_empty_wildcard",
}
_PLAIN = {"timestamp", "mode", "owner"}


def action_of(value: dict[str, Any], numbers: list[int]) -> FileAction | None:
    if set(value) <= _PLAIN | {"path", "makeParents"}:
        return MkdirAction(
            path=value["path"],
            mode=value.get("mode", 0),
            make_parents=value.get("makeParents", False),
            owner=chown_of(value.get("owner")),
            timestamp=value["timestamp"],
            input=numbers[0],
            output=numbers[2],
        )
    if set(value) <= _PLAIN | {"src", "dest"} | set(_COPY):
        return CopyAction(
            source=value["src"],
            destination=value["dest"],
            mode=value.get("mode", 0),
            owner=chown_of(value.get("owner")),
            timestamp=value["timestamp"],
            input=numbers[0],
            source_input=numbers[1],
            output=numbers[2],
            **{ours: value.get(theirs, False) for theirs, ours in _COPY.items()},
        )
    return None


def op_of(text: str) -> ExecOp | FileOp | None:
    """The op behind a text, or None where our ops cannot say it."""
    value = json.loads(text)
    if value.get("Type") == "buildkit.file.v0":
        payloads = [json.loads(base64.b64decode(action)) for action in value["Actions"]]
        default = [[0, 1 if "src" in payload else -1, 0] for payload in payloads]
        actions = [action_of(*pair) for pair in zip(payloads, value.get("indexes", default), strict=True)]
        found = tuple(action for action in actions if action is not None)
        return FileOp(actions=found) if len(found) == len(actions) else None
    if value.get("Type") != "buildkit.exec.v0":
        return None
    body, meta = value["Exec"], value["Exec"]["meta"]
    mounts = body.get("mounts")
    if set(body) - {"meta", "mounts", "network"} or set(meta) - {"args", "env", "cwd", "user", "hostname"} - {
        "removeMountStubsRecursive"
    }:
        return None
    if any(set(mount) - {"input", "dest", "output", "readonly"} for mount in mounts or ()):
        return None
    return ExecOp(
        args=tuple(meta["args"]),
        env=tuple(meta["env"]),
        cwd=meta["cwd"],
        user=meta.get("user", ""),
        hostname=meta.get("hostname", ""),
        network=NetworkMode(body.get("network", 0)),
        platform=Platform(value["OS"], value["Arch"], value.get("Variant", "")),
        mounts=(ROOT_MOUNT,)
        if mounts is None
        else tuple(
            Mount(
                destination=mount["dest"],
                input=mount.get("input", 0),
                output=mount.get("output", 0),
                readonly=mount.get("readonly", False),
            )
            for mount in mounts
        ),
    )


EXPRESSIBLE = {
    key: (text, op)
    for key, (kind, text) in golden()["preimages_HEAD"].items()
    if kind == "json" and (op := op_of(text)) is not None
}


def test_most_texts_of_the_golden_file_can_be_said_with_our_ops() -> None:
    assert len(EXPRESSIBLE) >= 40


@pytest.mark.parametrize("key", sorted(EXPRESSIBLE))
def test_the_text_is_buildkits(key: str) -> None:
    text, op = EXPRESSIBLE[key]
    assert op_text(op).decode() == text
    assert digest_of(op) == key


def test_the_keys_of_the_golden_base_image() -> None:
    base = golden()["base"]
    expected = {
        "linux/amd64": "46a1512a7bb5a6bde9fb5340f92eaaad59e2b634636dcacb353770d6784ec025",
        "linux/arm64": next(
            key.removeprefix("sha256:")
            for key, (_, text) in golden()["preimages_HEAD"].items()
            if text.startswith('{"Digest"') and "arm64" in text
        ),
    }
    for platform, k1 in expected.items():
        diff_ids = tuple(map(Digest.parse, base["platforms"][platform]["diff_ids"]))
        source = image(Digest.parse(base["digest_used_in_key (index)"]), platform, *diff_ids)
        assert cache_map(source).digests == tuple(
            Digest.of(f"buildkit.source.v0:{key}".encode()) for key in (f"sha256:{k1}", diff_ids[0])
        )


def test_the_root_records_of_the_golden_base_image() -> None:
    base = golden()["base"]
    diff_ids = tuple(map(Digest.parse, base["platforms"]["linux/amd64"]["diff_ids"]))
    found = cache_map(image(Digest.parse(base["digest_used_in_key (index)"]), "linux/amd64", *diff_ids))
    assert [root_key(digest, 0) for digest in found.digests] == [
        "sha256:5804d923a4e4cbcb54251fdcdac42f337f81ce632c9d642e6d253856b45d9658",
        "sha256:042bf55d63346767941471f79424c1ac74d382d027c8fcb3bde2a071e9a02b6d",
    ]


# Sources


def image(digest: Digest, platform: str, *diff_ids: Digest) -> ImageSource:
    system, architecture, *variant = platform.split("/")
    return ImageSource(
        reference=Reference.parse("example.com/a:1"),
        digest=digest,
        platform=Platform(system, architecture, "".join(variant)),
        diff_ids=diff_ids,
    )


def test_the_chain_of_layers_is_hashed_pairwise() -> None:
    a, b, c = (Digest.of(name) for name in (b"a", b"b", b"c"))
    ab = Digest.of(f"{a} {b}".encode())
    assert chain_id((a, b, c)) == Digest.of(f"{ab} {c}".encode())
    assert chain_id(()) is None


def test_an_image_without_layers_has_one_key() -> None:
    assert len(cache_map(image(Digest.of(b""), "linux/amd64")).digests) == 1


def test_the_name_of_an_image_is_no_part_of_its_key_and_its_platform_is() -> None:
    def keys(name: str, platform: str) -> tuple[Digest, ...]:
        source = image(Digest.of(b"index"), platform, Digest.of(b"layer"))
        return cache_map(
            ImageSource(
                reference=Reference.parse(name),
                digest=source.digest,
                platform=source.platform,
                diff_ids=source.diff_ids,
            )
        ).digests

    assert keys("a.example/x:1", "linux/arm64") == keys("b.example/y:2", "linux/arm64/v8")
    assert keys("a.example/x:1", "linux/arm64") != keys("a.example/x:1", "linux/arm/v7")
    assert keys("a.example/x:1", "linux/arm/v6") != keys("a.example/x:1", "linux/arm/v7")


def test_local_files_are_known_by_content_only() -> None:
    assert cache_map(LocalSource(name="context")).digests == ()


# RUN


def test_a_run_selects_the_root_and_never_hashes_it() -> None:
    assert cache_map(exec_op()).inputs == (InputKey(selector=selector_of(["/"]), content=None),)


def test_a_run_on_scratch_has_no_input_and_the_same_key() -> None:
    on_scratch = exec_op(Mount(destination="/", input=SCRATCH, output=0))
    assert cache_map(on_scratch).inputs == ()
    assert digest_of(on_scratch) == digest_of(exec_op())


def test_a_read_only_root_counts() -> None:
    assert b'"mounts":[{"dest":"/","readonly":true}]' in op_text(
        exec_op(Mount(destination="/", output=0, readonly=True))
    )


def test_proxies_are_no_part_of_the_key() -> None:
    assert digest_of(exec_op(proxy_env=("HTTP_PROXY=http://p",))) == digest_of(exec_op())


@pytest.mark.parametrize("change", [{"hostname": "h"}, {"network": NetworkMode.HOST}, {"user": "u"}])
def test_what_the_command_can_see_counts(change: dict[str, Any]) -> None:
    assert digest_of(exec_op(**change)) != digest_of(exec_op())


def test_a_mounted_path_is_selected_and_hashed_and_is_no_part_of_the_key() -> None:
    def op(selector: str) -> ExecOp:
        return exec_op(ROOT_MOUNT, Mount(destination="/m", input=1, selector=selector, readonly=True))

    keys = cache_map(op("o/../p/")).inputs
    assert keys[1] == InputKey(
        selector=selector_of(["/p"]), content=ContentRequest(selectors=(ContentSelector(path="/p"),))
    )
    assert digest_of(op("o")) == digest_of(op("p"))


def test_a_mount_of_the_whole_is_hashed_as_a_whole() -> None:
    mounts = (
        Mount(destination="/a", input=1, selector="x", readonly=True),
        Mount(destination="/m", input=1, readonly=True),
    )
    assert cache_map(exec_op(ROOT_MOUNT, *mounts)).inputs[1] == InputKey(
        selector=selector_of(["/x", "/"]), content=ContentRequest()
    )


@pytest.mark.parametrize(
    ("mount", "hashed"),
    [
        (Mount(destination="/m", input=1, output=1, selector="x"), False),
        (Mount(destination="/m", input=1, output=1), True),
        (Mount(destination="/m", input=1, output=1, selector="x", readonly=True), True),
        (Mount(destination="/m", input=1, selector="x"), True),
    ],
)
def test_a_part_that_is_written_back_is_not_known_by_content(mount: Mount, hashed: bool) -> None:
    assert (cache_map(exec_op(ROOT_MOUNT, mount)).inputs[1].content is not None) is hashed


@pytest.mark.parametrize("kind", [MountKind.CACHE, MountKind.SECRET, MountKind.SSH, MountKind.TMPFS])
def test_a_mount_whose_options_we_do_not_know_gets_no_key(kind: MountKind) -> None:
    with pytest.raises(ValueError, match="not supported yet"):
        cache_map(exec_op(ROOT_MOUNT, Mount(destination="/m", input=SCRATCH, kind=kind)))


# What older versions write (their texts are measured by the golden records; here is where they differ)


def test_a_run_has_three_older_spellings_of_two_texts() -> None:
    found = cache_map(exec_op())
    current = found.digests
    old = (Digest.of(op_text(exec_op(), Dialect.V0_8)),)
    root = selector_of(["/"])
    assert b"removeMountStubsRecursive" not in op_text(exec_op(), Dialect.V0_8)
    assert found.older == (
        Spelling(digests=current, selectors=(root,)),  # the normal form's
        Spelling(digests=current, selectors=(root,)),
        Spelling(digests=current, selectors=("",)),
        Spelling(digests=old, selectors=("",)),
    )


def test_a_run_on_scratch_selects_nothing_in_any_version() -> None:
    found = cache_map(exec_op(Mount(destination="/", input=SCRATCH, output=0)))
    assert [spelling.selectors for spelling in found.spellings] == [()] * 5


def test_a_text_s_normal_form_is_a_spelling_before_those_of_older_versions() -> None:
    plain, commented = exec_op(args=("/bin/sh", "-c", "a b")), exec_op(args=("/bin/sh", "-c", "a  b # c"))
    found = cache_map(replace(commented, normal_args=plain.args))
    assert found.spellings[0] == cache_map(commented).spellings[0]
    assert found.spellings[1] == cache_map(plain).spellings[0]
    assert found.spellings[2:] == cache_map(commented).spellings[2:]


def test_a_normal_form_is_no_part_of_a_step_s_identity() -> None:
    assert exec_op() == replace(exec_op(), normal_args=("other",))
    assert op_text(exec_op()) == op_text(replace(exec_op(), normal_args=("other",)))


def test_an_owner_is_written_differently_before_v0_18() -> None:
    chown = Chown(user=UserByName(name="bob"), group=UserById(id=7))
    op = FileOp(actions=(copy("/a", owner=chown),))
    found = cache_map(op)
    assert len({spelling.digests for spelling in found.older} - {found.digests}) == 1
    payload = base64.b64decode(json.loads(op_text(op, Dialect.V0_13))["Actions"][0])
    assert json.loads(payload)["owner"] == {
        "user": {"User": {"byName": {"name": "bob", "input": 0}}},
        "group": {"User": {"byID": 7}},
    }


@pytest.mark.parametrize(
    "op",
    [
        FileOp(actions=(copy("/a*"),)),
        FileOp(actions=(copy("/a", owner=Chown(user=UserById(id=0))),)),
        FileOp(actions=(MkdirAction(path="/a", input=0, output=0),)),
        LocalSource(name="context"),
    ],
)
def test_what_all_versions_write_the_same_has_one_spelling(op: FileOp | LocalSource) -> None:
    assert cache_map(op).older == ()


# COPY, ADD, WORKDIR


def test_the_vectors_of_file_ops() -> None:
    vectors = {
        FileOp(
            actions=(MkdirAction(path="/a", input=0, output=0),)
        ): "29054677b3c9e1d932defde92e9eaed71c85d509bc69ad369cd92637a467a8c1",
        FileOp(actions=(copy("/a.txt"),)): "dca5b6d24e62bf464390396dd284956c364296352466a9d097efdf0817545dc2",
        FileOp(
            actions=(copy("/a.txt", source_input=0, on=SCRATCH),)
        ): "190ea2578b546844338ec2ca3215ad9535269ddd0251ecd186077e282bbb9128",
    }
    assert {digest_of(op) for op in vectors} == {f"sha256:{digest}" for digest in vectors.values()}


def test_only_the_last_part_of_a_source_is_in_the_key_and_the_rest_is_selected() -> None:
    one, other = FileOp(actions=(copy("/x/a.txt"),)), FileOp(actions=(copy("/y/a.txt"),))
    assert digest_of(one) == digest_of(other)
    assert cache_map(one).inputs[1].selector == selector_of(["/x/a.txt"])
    assert cache_map(other).inputs[1].selector == selector_of(["/y/a.txt"])


def test_what_is_written_to_counts_as_it_is_and_what_is_read_by_content() -> None:
    assert cache_map(FileOp(actions=(copy("/d*"),))).inputs == (
        WHOLE,
        InputKey(
            selector=selector_of(["/d*"]),
            content=ContentRequest(selectors=(ContentSelector(path="/d*", wildcard=True),)),
        ),
    )


def test_a_copy_within_the_same_tree_has_one_input_known_by_definition() -> None:
    assert cache_map(FileOp(actions=(copy("/a", source_input=0),))).inputs == (WHOLE,)


def numbers(*actions: FileAction) -> object:
    return json.loads(op_text(FileOp(actions=actions))).get("indexes")


def test_the_numbers_of_inputs_are_left_out_in_the_common_case_only() -> None:
    assert numbers(copy("/a")) is None
    assert numbers(MkdirAction(path="/a", input=0, output=0)) is None
    assert numbers(MkdirAction(path="/a", input=SCRATCH, output=0)) == [[-1, -1, 0]]
    assert numbers(copy("/a", source_input=0, on=SCRATCH)) == [[-1, 0, 0]]
    assert numbers(copy("/a", source_input=0)) == [[0, 0, 0]]
    # With two sources, the count of actions happens to be that of inputs.
    assert numbers(copy("/a", output=-1), copy("/b", on=2)) is None
    three = (copy("/a", output=-1), copy("/b", on=2, output=-1), copy("/c", on=3))
    assert numbers(*three) == [[0, 1, -1], [2, 1, -1], [3, 1, 0]]


def test_several_sources_are_selected_from_the_last_to_the_first() -> None:
    three = FileOp(actions=(copy("/b", output=-1), copy("/c", on=2, output=-1), copy("/a", on=3)))
    base, context = cache_map(three).inputs
    assert base == WHOLE
    assert context.selector == selector_of(["/c", "/b", "/a"])


def test_a_source_named_twice_is_selected_twice() -> None:
    twice = FileOp(actions=(copy("/a", output=-1), copy("/a", on=2)))
    assert cache_map(twice).inputs[1].selector == selector_of(["/a", "/a"])


def test_actions_on_scratch_count_their_inputs_right() -> None:
    onto_scratch = FileOp(actions=(copy("/a", source_input=0, on=SCRATCH, output=-1), copy("/b", source_input=0, on=1)))
    assert [key.selector for key in cache_map(onto_scratch).inputs] == [selector_of(["/b", "/a"])]
    folders = FileOp(
        actions=(
            MkdirAction(path="/a", input=SCRATCH, output=-1),
            MkdirAction(path="/b", input=0, output=-1),
            MkdirAction(path="/c", input=1, output=0),
        )
    )
    assert cache_map(folders).inputs == ()


def test_a_named_owner_from_what_is_written_to_adds_nothing() -> None:
    chown = Chown(user=UserByName(name="bob"), group=UserByName(name="grp"))
    plain, named = (cache_map(FileOp(actions=(copy("/a", owner=owner),))) for owner in (None, chown))
    assert plain.inputs == named.inputs
    assert plain.digests != named.digests


def test_a_named_owner_from_what_is_read_is_read_there() -> None:
    chown = Chown(user=UserByName(name="bob", input=1), group=UserByName(name="grp", input=1))
    key = cache_map(FileOp(actions=(copy("/a", owner=chown),))).inputs[1]
    assert key.selector == selector_of(["/etc/passwd", "/etc/group", "/a"])
    assert key.content is not None
    assert set(key.content.selectors[1:]) == {ContentSelector(path="/etc/passwd"), ContentSelector(path="/etc/group")}
