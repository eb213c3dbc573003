"""Keys of RUN: what is hashed, and what of the inputs counts."""

import json
from typing import Any

import pytest
from imagebuild_engine.core.cache import ContentRequest, ContentSelector, selector_of
from imagebuild_engine.core.graph import (
    ROOT_MOUNT,
    SCRATCH,
    CacheOption,
    CacheSharing,
    Dialect,
    ExecOp,
    HandedOption,
    HostAddress,
    InputKey,
    Mount,
    MountKind,
    NetworkMode,
    SecretEnv,
    SecurityMode,
    Ulimit,
    cache_map,
    op_text,
)
from imagebuild_engine.core.graph.keys import exec_selectors
from imagebuild_engine.core.oci import Digest, Platform

AMD64 = Platform("linux", "amd64")
SECRET = Mount(
    destination="/run/secrets/s", kind=MountKind.SECRET, option=HandedOption(id="s", mode=0o400, optional=True)
)
AGENT = Mount(destination="/run/ssh", kind=MountKind.SSH, option=HandedOption(id="", mode=0o600))
TMPFS = Mount(destination="/t", kind=MountKind.TMPFS)


def exec_op(*mounts: Mount, **options: Any) -> ExecOp:
    return ExecOp(args=("true",), env=(), cwd="/", platform=AMD64, mounts=mounts or (ROOT_MOUNT,), **options)


def digest_of(op: ExecOp) -> Digest:
    (digest,) = cache_map(op).digests
    return digest


def mounts_of(*mounts: Mount, dialect: Dialect = Dialect.V0_22) -> list[dict[str, Any]]:
    """The mounts in the text of a RUN, but for the root."""
    found: list[dict[str, Any]] = json.loads(op_text(exec_op(ROOT_MOUNT, *mounts), dialect))["Exec"]["mounts"]
    return found[1:]


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


@pytest.mark.parametrize(
    "change",
    [
        {"security": SecurityMode.INSECURE},
        {"secret_env": (SecretEnv(id="s", name="S"),)},
        {"extra_hosts": (HostAddress(host="h", address="1.2.3.4"),)},
        {"ulimits": (Ulimit(name="nofile", soft=1, hard=2),)},
        {"cgroup_parent": "p"},
    ],
)
def test_what_the_step_is_given_counts(change: dict[str, Any]) -> None:
    assert digest_of(exec_op(**change)) != digest_of(exec_op())


def test_the_address_of_a_host_does_not_count_and_its_place_in_the_list_does() -> None:
    one, other = HostAddress(host="a", address="1.1.1.1"), HostAddress(host="b", address="2.2.2.2")
    moved = HostAddress(host="a", address="3.3.3.3")
    assert digest_of(exec_op(extra_hosts=(one, other))) == digest_of(exec_op(extra_hosts=(moved, other)))
    assert digest_of(exec_op(extra_hosts=(one, other))) != digest_of(exec_op(extra_hosts=(other, one)))


# Mounts


def cache(name: str, sharing: CacheSharing = CacheSharing.SHARED) -> Mount:
    option = CacheOption(id=name, sharing=sharing)
    return Mount(destination="/c", input=SCRATCH, kind=MountKind.CACHE, option=option)


@pytest.mark.parametrize("name", ["/c", "//c", "ns//c"])
def test_the_default_cache_is_named(name: str) -> None:
    assert mounts_of(cache(name)) == [
        {"input": -1, "dest": "/c", "output": -1, "mountType": 3, "cacheOpt": {"ID": name}}
    ]


@pytest.mark.parametrize(
    "mount", [cache("/x"), cache("ns/c/"), cache("//c", CacheSharing.LOCKED), cache("//c", CacheSharing.PRIVATE)]
)
def test_any_other_cache_is_not(mount: Mount) -> None:
    assert mounts_of(mount)[0]["cacheOpt"] == {}
    named = mounts_of(mount, dialect=Dialect.V0_11)[0]["cacheOpt"]
    assert isinstance(mount.option, CacheOption)
    assert named == {"ID": mount.option.id} | ({"sharing": int(mount.option.sharing)} if mount.option.sharing else {})


def test_a_cache_on_a_directory_selects_it() -> None:
    mount = Mount(destination="/c", input=1, selector="/cache", kind=MountKind.CACHE, option=CacheOption(id="//c"))
    assert mounts_of(mount)[0]["input"] == 1
    assert cache_map(exec_op(ROOT_MOUNT, mount)).inputs[1] == InputKey(
        selector=selector_of(["/cache"]), content=ContentRequest(selectors=(ContentSelector(path="/cache"),))
    )


def test_what_is_handed_in_has_neither_input_nor_output_whatever_the_mount_says() -> None:
    expected = {"input": -1, "dest": "/run/secrets/s", "mountType": 1}
    option = {"secretOpt": {"ID": "s", "mode": 256, "optional": True}}
    assert mounts_of(SECRET) == [expected | option]
    assert mounts_of(AGENT) == [{"input": -1, "dest": "/run/ssh", "mountType": 2, "SSHOpt": {"mode": 384}}]
    assert cache_map(exec_op(ROOT_MOUNT, SECRET, AGENT)).inputs == cache_map(exec_op()).inputs


def test_a_tmpfs_has_its_size() -> None:
    assert mounts_of(TMPFS) == [{"input": -1, "dest": "/t", "output": -1, "mountType": 4, "TmpfsOpt": {}}]
    sized = Mount(destination="/t", kind=MountKind.TMPFS, size=5)
    assert mounts_of(sized)[0]["TmpfsOpt"] == {"size": 5}


@pytest.mark.parametrize("kind", [MountKind.CACHE, MountKind.SECRET, MountKind.SSH])
def test_a_mount_without_its_option_is_refused(kind: MountKind) -> None:
    with pytest.raises(ValueError, match=f"a {kind.name.lower()} mount"):
        cache_map(exec_op(ROOT_MOUNT, Mount(destination="/m", input=SCRATCH, kind=kind)))


# What older versions write (their texts are measured by the golden records; here is where they differ)


def test_zeros_were_written() -> None:
    bind = Mount(destination="/m", input=1, readonly=True)
    root, written = json.loads(op_text(exec_op(ROOT_MOUNT, bind), Dialect.V0_16))["Exec"]["mounts"]
    assert root == {"input": 0, "dest": "/", "output": 0}
    assert written == {"input": 1, "dest": "/m", "output": -1, "readonly": True}
    assert mounts_of(SECRET, dialect=Dialect.V0_16)[0]["output"] == 0


def test_secrets_were_mounted_from_the_root_and_counted_as_uses_of_it() -> None:
    op = exec_op(ROOT_MOUNT, SECRET, AGENT)
    assert [mount["input"] for mount in mounts_of(SECRET, AGENT, dialect=Dialect.V0_13)] == [0, 0]
    assert exec_selectors(op, Dialect.V0_16) == (selector_of(["/"]),)
    assert exec_selectors(op, Dialect.V0_13) == (selector_of(["/", "/", "/"]),)
    assert exec_selectors(op, Dialect.V0_11) == ("",)


def test_a_mount_of_the_whole_selected_nothing_unless_it_named_the_root() -> None:
    whole, named = (Mount(destination="/m", input=1, selector=path, readonly=True) for path in ("", "/"))
    for mount, old in ((whole, ""), (named, selector_of(["/"]))):
        op = exec_op(ROOT_MOUNT, mount)
        assert exec_selectors(op, Dialect.V0_13)[1] == selector_of(["/"])
        assert exec_selectors(op, Dialect.V0_11) == ("", old)


def test_a_tmpfs_had_no_options() -> None:
    assert "TmpfsOpt" in mounts_of(TMPFS, dialect=Dialect.V0_9)[0]
    assert "TmpfsOpt" not in mounts_of(TMPFS, dialect=Dialect.V0_8)[0]


def test_a_limit_is_not_forgotten_for_the_sake_of_v0_8() -> None:
    """Its key of the step is that of a step without: what it would find is another result."""
    limits = (
        exec_op(ulimits=(Ulimit(name="nofile", soft=1, hard=2),)),
        exec_op(cgroup_parent="p"),
        exec_op(ROOT_MOUNT, Mount(destination="/dev/shm", kind=MountKind.TMPFS, size=5)),
    )
    plain = {digest for spelling in cache_map(exec_op()).spellings for digest in spelling.digests}
    for op in limits:
        assert not plain & {digest for spelling in cache_map(op).spellings for digest in spelling.digests}
