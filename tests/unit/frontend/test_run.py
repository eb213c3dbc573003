"""RUN with all that it may ask for, as the exec op that BuildKit would make of it."""

import pytest
from imagebuild_engine.core.graph import (
    SCRATCH,
    CacheOption,
    CacheSharing,
    FileOp,
    HandedOption,
    LocalSource,
    MkdirAction,
    MkfileAction,
    Mount,
    MountKind,
    NetworkMode,
    SecretEnv,
    SecurityMode,
    Ulimit,
)

from tests.support.lowering import last_run, lowered, refusal


def mounts(flags: str, before: str = "", **options: object) -> tuple[Mount, ...]:
    return last_run(lowered(f"FROM base\n{before}\nRUN {flags} x", **options)).mounts[1:]


def test_mounts_stand_in_the_order_of_their_places_and_inputs_in_that_of_the_mounts() -> None:
    plan = lowered("FROM base AS s\nFROM base\nRUN --mount=target=/z --mount=from=s,target=/m --mount=target=/a x")
    op = last_run(plan)
    assert [(mount.destination, mount.input) for mount in op.mounts] == [("/", 0), ("/a", 1), ("/m", 0), ("/z", 1)]
    assert plan.steps[-1].inputs[1].vertex.op == LocalSource(name="context")


def test_a_bind_mount_is_read_only_unless_it_says_otherwise_and_never_an_output() -> None:
    assert mounts("--mount=target=/a,source=sub/dir") == (
        Mount(destination="/a", input=1, selector="/sub/dir", readonly=True),
    )
    assert mounts("--mount=target=/a,rw") == (Mount(destination="/a", input=1),)


def test_a_relative_target_is_below_the_working_directory_an_absolute_one_stays_as_written() -> None:
    assert [item.destination for item in mounts("--mount=target=a", "WORKDIR /w")] == ["/w/a"]
    assert [item.destination for item in mounts("--mount=target=/a/b/")] == ["/a/b/"]


def test_a_cache_is_named_by_its_place_or_its_id() -> None:
    assert mounts("--mount=type=cache,target=/c/")[0].option == CacheOption(id="//c")
    found = mounts("--mount=type=cache,id=x,target=/c,sharing=locked", cache_namespace="ns")[0]
    assert found.option == CacheOption(id="ns/x", sharing=CacheSharing.LOCKED)
    assert (found.kind, found.input, found.readonly) == (MountKind.CACHE, SCRATCH, False)


def test_a_cache_with_an_owner_begins_as_a_directory_of_his() -> None:
    plan = lowered("FROM base\nRUN --mount=type=cache,target=/c,uid=3,mode=0700 x")
    mount = last_run(plan).mounts[1]
    assert (mount.input, mount.selector) == (1, "/cache")
    op = plan.steps[-1].inputs[1].vertex.op
    assert isinstance(op, FileOp)
    action = op.actions[0]
    assert isinstance(action, MkdirAction)
    assert (action.path, action.mode, action.input, action.make_parents) == ("/cache", 0o700, SCRATCH, False)


def test_a_tmpfs_and_the_size_of_shm() -> None:
    found = mounts("--mount=type=tmpfs,target=/t,size=1m", shm_size=1000)
    assert [(item.destination, item.size, item.kind, item.input) for item in found] == [
        ("/dev/shm", 1000, MountKind.TMPFS, SCRATCH),
        ("/t", 1 << 20, MountKind.TMPFS, SCRATCH),
    ]


def test_secrets_and_sockets_come_last_in_the_order_written() -> None:
    flags = "--mount=type=ssh --mount=type=secret,id=b,required --mount=type=secret,target=/a/f,mode=0440,uid=1"
    op = last_run(lowered(f"FROM base\nRUN {flags} x"))
    assert op.mounts[1:] == (
        Mount(
            destination="/run/secrets/b",
            input=SCRATCH,
            output=0,
            kind=MountKind.SECRET,
            option=HandedOption(id="b", mode=0o400),
        ),
        Mount(
            destination="/a/f",
            input=SCRATCH,
            output=0,
            kind=MountKind.SECRET,
            option=HandedOption(id="f", uid=1, mode=0o440, optional=True),
        ),
        Mount(
            destination="/run/buildkit/ssh_agent.0",
            input=SCRATCH,
            output=0,
            kind=MountKind.SSH,
            option=HandedOption(id="", mode=0o600, optional=True),
        ),
    )
    assert op.env[-1] == "SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0"


def test_a_secret_in_the_environment_is_no_mount_unless_it_has_a_target() -> None:
    op = last_run(lowered("FROM base\nRUN --mount=type=secret,id=foo,env=FOO x"))
    assert (op.secret_env, len(op.mounts)) == ((SecretEnv(id="foo", name="FOO", optional=True),), 1)
    op = last_run(lowered("FROM base\nRUN --mount=type=secret,id=foo,env=FOO,target=/f x"))
    assert [mount.destination for mount in op.mounts] == ["/", "/f"]


def test_a_sockets_variable_stays_out_of_later_steps() -> None:
    assert not [item for item in last_run(lowered("FROM base\nRUN --mount=type=ssh x\nRUN y")).env if "SSH" in item]


def test_options_of_mounts_are_expanded() -> None:
    assert [item.destination for item in mounts("--mount=type=tmpfs,target=/$D", "ARG D=deep")] == ["/deep"]


def test_what_the_build_s_options_add_to_every_step() -> None:
    limits = (Ulimit(name="nofile", soft=100, hard=200),)
    op = last_run(lowered("FROM base\nRUN x", ulimits=limits, cgroup_parent="foo", hostname="h"))
    assert (op.ulimits, op.cgroup_parent, op.hostname) == (limits, "foo", "h")


def test_a_network_of_the_step_wins_over_that_of_the_build() -> None:
    text = "FROM base\nRUN --network=none x"
    assert last_run(lowered(text, network=NetworkMode.HOST)).network is NetworkMode.NONE
    assert last_run(lowered("FROM base\nRUN x", network=NetworkMode.HOST)).network is NetworkMode.HOST


def test_all_privileges_only_where_they_are_allowed() -> None:
    text = "FROM base\nRUN --security=insecure x"
    assert last_run(lowered(text, allow_insecure=True)).security is SecurityMode.INSECURE
    error = refusal(text)
    assert "--allow security.insecure" in str(error)
    assert error.location is not None
    assert error.location.start == 2


def test_a_heredoc_is_the_command() -> None:
    assert last_run(lowered("FROM base\nRUN <<EOF\na\n\tb\nEOF")).args == ("/bin/sh", "-c", "a\n\tb\n")
    assert last_run(lowered("FROM base\nRUN <<-EOF\n\ta\n\tEOF")).args == ("/bin/sh", "-c", "a\n")


def test_a_heredoc_that_is_the_command_has_a_normal_form() -> None:
    op = last_run(lowered("FROM base\nRUN <<-EOF\n\t# why\n\ta   &&  b # c\n\n\tc\n\tEOF"))
    assert op.args[-1] == "# why\na   &&  b # c\n\nc\n"
    assert op.normal_args == ("/bin/sh", "-c", "a && b\nc\n")


@pytest.mark.parametrize(
    "command",
    [
        "<<EOF\n#!/bin/sh\na   b # c\nEOF",  # a file, which its interpreter reads
        "cat   <<EOF # c\na\nEOF",  # the shell itself reads it
        "<<A cat   <<B\na\nA\nb\nB",
        "<<EOF\nalias a=b\na   b\nEOF",  # in doubt: later lines may be read in another way
    ],
)
def test_other_heredocs_have_none(command: str) -> None:
    assert last_run(lowered(f"FROM base\nRUN {command}")).normal_args is None


def test_a_heredoc_beside_a_command_is_the_shells() -> None:
    plan = lowered("FROM base\nRUN <<A cat <<B\na\nA\nb\nB")
    assert last_run(plan).args[-1] == "<<A cat <<B\na\nA\nb\nB"


def test_a_script_in_a_heredoc_is_mounted() -> None:
    plan = lowered("FROM base\nRUN <<EOF\n#!/bin/x\necho s\nEOF")
    op = last_run(plan)
    assert op.args == ("/bin/sh", "-c", "/dev/pipes/EOF")
    assert op.mounts[1] == Mount(destination="/dev/pipes/", input=1, readonly=True, selector="/")
    made = plan.steps[-1].inputs[1].vertex.op
    assert isinstance(made, FileOp)
    action = MkfileAction(path="/EOF", data=b"#!/bin/x\necho s\n", input=SCRATCH, output=0, mode=0o755)
    assert made.actions == (action,)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--mount=target=/", "is the root"),
        ("--mount=type=cache,target=.", "is the root"),
        ("--mount=from=nowhere/BAD,target=/a", "lower case"),
        ("--mount=type=ssh,source=a", "no source"),
        ("--mount=type=tmpfs,target=/a,size=much", "size"),
        ("--mount=type=cach,target=/a", "cache"),
        ("--mount=from=later,target=/a", "later stage"),
    ],
)
def test_mounts_that_make_no_sense(flags: str, words: str) -> None:
    error = refusal(f"FROM base\nRUN {flags} x\nFROM base AS later", target="0")
    assert words in str(error)
    assert error.location is not None
    assert error.location.start == 2
