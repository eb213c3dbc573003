"""RUN with everything it may ask for: whole Dockerfiles, the program, real mounts, a real ssh-agent."""

import gzip
import json
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from imagebuild_engine.contract import (
    BuildRequest,
    DirectorySource,
    Dockerfile,
    SecretSource,
    Source,
    encode_request,
)

from tests.conformance.executors import running
from tests.integration.workshop import NEEDS_A_REGISTRY, Built, Workshop, runtime_for
from tests.support.images import push_busybox
from tests.support.program import PROGRAM
from tests.support.registry import RunningRegistry, running_registry

pytestmark = NEEDS_A_REGISTRY
SECRET = "hunter2-and-more"
MISSING_SSH = "" if shutil.which("ssh-agent") and shutil.which("ssh-keygen") else "needs Debian's openssh-client"


@dataclass
class MountsWorkshop(Workshop):
    variables: Mapping[str, str] | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        return {**super().environment, **(self.variables or {})}

    def of(self, *lines: str, arguments: tuple[str, ...] = ()) -> Built:
        """Builds a stage on the base with these lines."""
        self.write("Dockerfile", "\n".join([f"FROM {self.base}", *lines, ""]))
        built = self.build(*arguments)
        self.nothing_is_left()
        return built

    def nothing_is_left(self) -> None:
        assert str(self.folder) not in Path("/proc/self/mounts").read_text()
        assert not list(self.folder.glob("build-*"))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        push_busybox(registry.host)
        yield registry


def make(registry: RunningRegistry, folder: Path, executor: str) -> MountsWorkshop:
    (folder / "context").mkdir()
    base = f"{registry.host}/library/busybox:1"
    return MountsWorkshop(registry, base, folder / "context", folder, runtime_for(executor))


@pytest.fixture
def workshop(tmp_path: Path, registry: RunningRegistry) -> MountsWorkshop:
    return make(registry, tmp_path, "oci")


@pytest.fixture
def chroot_workshop(tmp_path: Path, registry: RunningRegistry) -> MountsWorkshop:
    return make(registry, tmp_path, "chroot")


def said(built: Built) -> list[str]:
    """What the steps printed."""
    assert built.code == 0, built.log
    return [line.split(" ", 2)[2] for line in built.log.splitlines() if line.startswith("#") and line.count(" ") > 1]


# --- binds ---------------------------------------------------------------------------------------------------------


def test_a_bind_of_the_context_shows_what_is_sent_and_belongs_to_root(workshop: MountsWorkshop) -> None:
    workshop.write("src/a", "a\n", 0o640)
    workshop.write("src/hidden", "hidden\n")
    workshop.write(".dockerignore", "src/hidden\n")
    os.chown(workshop.context / "src/a", 1234, 1234)
    built = workshop.of(
        "RUN --mount=target=/c ls /c/src && stat -c '%u:%g %a' /c/src/a && ! touch /c/src/b && echo done",
        "RUN --mount=source=src/a,target=/file cat /file && test ! -d /c",
    )
    lines = said(built)
    assert "hidden" not in lines
    assert lines.index("a") < lines.index("0:0 640") < lines.index("done")
    assert (workshop.context / "src/a").stat().st_uid == 1234


def test_a_writable_bind_is_thrown_away(workshop: MountsWorkshop) -> None:
    workshop.write("src/a", "mine\n")
    built = workshop.of(
        "RUN mkdir /d && echo old > /d/f",
        f"FROM {workshop.base} AS two",
        "COPY src /x",
        "RUN --mount=type=bind,from=0,source=/d,target=/d,rw echo new > /d/f && cat /d/f",
        "RUN --mount=type=bind,from=0,source=/d/f,target=/x/f cat /x/f",
        "RUN --mount=target=/c,rw echo changed > /c/src/a && cat /c/src/a",
        "RUN --mount=target=/c cat /c/src/a && ls -d /d /c || echo gone",
    )
    assert [line for line in said(built) if line in {"old", "new", "mine", "changed"}] == [
        "new",
        "old",
        "changed",
        "mine",
    ]
    assert (workshop.context / "src/a").read_text() == "mine\n"


@pytest.mark.parametrize(
    "mount", ["source=nonesuch,target=/m", "from=0,source=/nonesuch,target=/m", "source=ignored,target=/m"]
)
def test_a_source_that_is_missing_is_the_users_error_with_its_line(workshop: MountsWorkshop, mount: str) -> None:
    workshop.write("ignored", "x")
    workshop.write(".dockerignore", "ignored")
    built = workshop.of(f"FROM {workshop.base}", f"RUN --mount={mount} true")
    failure = built.result["failure"]
    assert (failure["reason"], failure["line"]) == ("ContextPathMissing", 3)
    assert "not found" in failure["message"]
    assert "RUN --mount" in failure["excerpt"]


def test_hostile_links_where_mounts_go_do_not_lead_out_of_the_tree(workshop: MountsWorkshop) -> None:
    outside = workshop.folder / "outside"
    outside.mkdir()
    built = workshop.of(
        f"RUN ln -s {outside} /link && ln -s ../../../../../../..{outside} /up",
        "RUN --mount=type=tmpfs,target=/link/a touch /link/a/x",
        "RUN --mount=type=cache,target=/up/b touch /up/b/x",
        "RUN --mount=type=secret,id=s,target=/link/c cat /link/c",
        arguments=("--secret", "id=s,env=HOME"),
    )
    assert built.code == 0, built.log
    assert list(outside.iterdir()) == []


def test_the_selected_source_does_not_lead_out_of_its_tree_either(workshop: MountsWorkshop) -> None:
    (workshop.folder / "outside").write_text("must not be seen\n")
    (workshop.context / "link").symlink_to(workshop.folder / "outside")
    built = workshop.of("RUN --mount=source=link,target=/m cat /m")
    assert built.result["failure"]["reason"] == "ContextPathMissing"
    assert "must not be seen" not in built.log


# --- what is left --------------------------------------------------------------------------------------------------


def test_only_proc_dev_and_sys_stay_of_all_mount_points(workshop: MountsWorkshop) -> None:
    built = workshop.of(
        "RUN --mount=type=tmpfs,target=/made/deep/here --mount=type=cache,target=/made/deep/there touch /made/f",
        "RUN --mount=type=tmpfs,target=/gone/a --mount=type=tmpfs,target=/gone/a/b touch /gone/a/b/c",
        "RUN --mount=type=tmpfs,target=/dev/own touch /dev/own/x",
        "RUN ls -d /* && ls -A /made /dev/own; true",
    )
    lines = said(built)
    assert {"/made", "/proc", "/dev", "/sys"} <= set(lines)
    assert "/gone" not in lines
    assert "f" in lines
    assert "deep" not in lines


def test_a_step_that_fails_leaves_nothing_mounted(workshop: MountsWorkshop) -> None:
    built = workshop.of(
        "RUN --mount=type=cache,target=/c --mount=type=secret,id=s --mount=target=/x,rw --mount=type=tmpfs,target=/t "
        "cat /run/secrets/s; exit 7",
        arguments=("--secret", "id=s,env=THE_SECRET"),
    )
    assert built.result["failure"]["reason"] == "StepFailed"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_engine_that_is_ended_leaves_neither_mounts_nor_secrets(
    workshop: MountsWorkshop, number: signal.Signals
) -> None:
    workshop.variables = {"THE_SECRET": SECRET}
    workshop.write(
        "Dockerfile",
        f"FROM {workshop.base}\nRUN --mount=type=secret,id=s --mount=target=/x,rw --mount=type=cache,target=/c "
        "sleep 96.0001 & sleep 96.0002\n",
    )
    command = [PROGRAM, "build", "--secret", "id=s,env=THE_SECRET", str(workshop.context)]
    engine = subprocess.Popen(command, env=workshop.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: len(running("sleep\x0096.000")) == 2, "the step runs")
    assert "ramfs" in Path("/proc/self/mounts").read_text()
    engine.send_signal(number)
    engine.wait(30)
    eventually(lambda: not running("96.000"), "the step is gone")
    eventually(lambda: str(workshop.folder) not in Path("/proc/self/mounts").read_text(), "nothing is mounted")
    eventually(lambda: not list(workshop.folder.glob("build-*")), "no file is left")


# --- secrets -------------------------------------------------------------------------------------------------------


def test_a_secret_is_a_file_in_memory_with_the_mode_and_owner_that_were_asked_for(workshop: MountsWorkshop) -> None:
    workshop.variables = {"THE_SECRET": SECRET}
    built = workshop.of(
        "RUN --mount=type=secret,id=s stat -c '%a %u:%g' /run/secrets/s && cat /run/secrets/s | wc -c",
        "RUN --mount=type=secret,id=s,target=/etc/s,mode=0444,uid=7,gid=8 stat -c '%a %u:%g' /etc/s",
        "RUN --mount=type=secret,id=s ! sh -c 'echo x > /run/secrets/s'",
        "RUN test ! -e /run && test ! -e /etc/s && echo nothing stayed",
        arguments=("--secret", "id=s,env=THE_SECRET"),
    )
    lines = said(built)
    assert [line for line in lines if line in {"400 0:0", "444 7:8", str(len(SECRET)), "nothing stayed"}] == [
        "400 0:0",
        str(len(SECRET)),
        "444 7:8",
        "nothing stayed",
    ]


def test_a_secret_is_in_no_log_layer_config_or_command_line(workshop: MountsWorkshop, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\nsecond line of it\n")
    workshop.variables = {"THE_SECRET": SECRET}
    seen: list[str] = []

    def watch() -> Built:
        return workshop.of(
            "RUN --mount=type=secret,id=file --mount=type=secret,id=variable,env=TOKEN "
            'cat /run/secrets/file && echo "token is $TOKEN." && env && sleep 1.5',
            "RUN --mount=type=secret,id=variable,env=TOKEN cat /proc/self/environ; echo $TOKEN >&2; exit 3",
            arguments=("--secret", f"id=file,src={tmp_path / 'secret'}", "--secret", "id=variable,env=THE_SECRET"),
        )

    with ThreadPoolExecutor(1) as pool:
        task = pool.submit(watch)
        while not task.done():
            seen += running(SECRET)
            time.sleep(0.05)
        built = task.result()
    assert seen == []
    assert SECRET not in built.log
    assert "second line of it" not in built.log
    assert "token is ****." in built.log
    assert SECRET not in json.dumps(built.metadata)
    assert "****" in built.result["failure"]["log_tail"]
    assert built.result["failure"]["reason"] == "StepFailed"


def test_the_image_has_nothing_of_a_secret(workshop: MountsWorkshop, tmp_path: Path) -> None:
    workshop.variables = {"THE_SECRET": SECRET}
    built = workshop.of(
        "RUN --mount=type=secret,id=s,env=TOKEN --mount=type=secret,id=s echo made > /made",
        arguments=("--secret", "id=s,env=THE_SECRET", "--output", f"type=oci,dest={tmp_path / 'image'},tar=false"),
    )
    assert built.code == 0, built.log
    blobs = [path.read_bytes() for path in (tmp_path / "image/blobs/sha256").iterdir()]
    plain = b"".join(gzip.decompress(blob) if blob[:2] == b"\x1f\x8b" else blob for blob in blobs)
    assert b"made" in plain
    assert SECRET.encode() not in plain


def test_a_secret_that_is_not_given_is_an_error_that_says_what_to_do_unless_it_is_optional(
    workshop: MountsWorkshop,
) -> None:
    built = workshop.of("RUN --mount=type=secret,id=s test ! -e /run && echo none", "RUN true")
    assert "none" in said(built)
    built = workshop.of("RUN true", "RUN --mount=type=secret,id=s,required=true true")
    failure = built.result["failure"]
    assert (failure["reason"], failure["line"], built.code) == ("InvalidSpec", 3, 15)
    assert "--secret id=s" in failure["message"]


def test_the_key_does_not_know_a_secrets_value(workshop: MountsWorkshop) -> None:
    lines = ['RUN --mount=type=secret,id=s,env=TOKEN test -n "$TOKEN" && echo made > /made']
    workshop.variables = {"A": "one-value", "B": "another-value"}
    workshop.of(*lines, arguments=("--secret", "id=s,env=A"))
    again = workshop.of(*lines, arguments=("--secret", "id=s,env=B", "--cache-from", workshop.ref("app:1")))
    assert set(again.outcomes.values()) == {"hit"}


# --- caches --------------------------------------------------------------------------------------------------------


def test_a_cache_outlives_builds_and_is_in_no_layer(workshop: MountsWorkshop) -> None:
    line = "RUN --mount=type=cache,target=/c,mode=0750,uid=5,gid=6 stat -c '%a %u:%g' /c; echo x >> /c/f; wc -l < /c/f"
    assert "1" in said(workshop.of(line))
    lines = said(workshop.of(line))
    assert "750 5:6" in lines
    assert "2" in lines
    built = workshop.of("RUN test ! -e /c && echo none")
    assert "none" in said(built)
    state = workshop.folder / "cache/imagebuild/mounts"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_a_cache_begins_with_what_its_stage_has(workshop: MountsWorkshop) -> None:
    built = workshop.of(
        "RUN mkdir -p /seed/sub && echo grain > /seed/sub/f && chmod 711 /seed",
        f"FROM {workshop.base}",
        "RUN --mount=type=cache,from=0,source=/seed,target=/c,id=../../../etc cat /c/sub/f && stat -c %a /c",
    )
    lines = said(built)
    assert "grain" in lines
    assert "711" in lines


@pytest.mark.parametrize(("sharing", "together"), [("shared", True), ("locked", False), ("private", False)])
def test_two_builds_at_once_share_a_cache_or_do_not(
    registry: RunningRegistry, tmp_path: Path, sharing: str, together: bool
) -> None:
    """Each waits a while for the other's mark."""
    script = (
        "touch /c/$ME; n=0; while [ $n -lt 30 ] && [ ! -e /c/$OTHER ]; do sleep 0.1; n=$((n+1)); done; "
        "ls /c; rm -f /c/$ME"
    )

    def build(me: str, other: str) -> str:
        folder = tmp_path / me
        folder.mkdir()
        workshop = make(registry, folder, "oci")
        workshop.variables = {"XDG_CACHE_HOME": str(tmp_path / "shared")}
        return workshop.of(
            f"ENV ME={me} OTHER={other}", f"RUN --mount=type=cache,target=/c,sharing={sharing} {script}"
        ).log

    with ThreadPoolExecutor(2) as pool:
        logs = list(pool.map(build, ["one", "two"], ["two", "one"]))
    seen = [{line.split()[-1] for line in log.splitlines() if line.endswith((" one", " two"))} for log in logs]
    if together:
        assert {"one", "two"} in seen
    else:
        assert seen == [{"one"}, {"two"}]


# --- ssh -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def key(tmp_path: Path) -> Path:
    if MISSING_SSH:
        pytest.skip(MISSING_SSH)
    path = tmp_path / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "of-a-test", "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
    )
    path.chmod(0o644)  # as in a pod's volume
    return path


@pytest.fixture
def agent(tmp_path: Path, key: Path) -> Iterator[Path]:
    """A real one with the key, in the foreground."""
    path = tmp_path / "a.sock"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        eventually(path.exists, "the agent listens")
        key.chmod(0o600)
        subprocess.run(
            ["ssh-add", "-q", str(key)], check=True, env={**os.environ, "SSH_AUTH_SOCK": str(path)}, timeout=30
        )
        yield path
    finally:
        process.terminate()
        process.wait(10)


def with_ssh_add(workshop: MountsWorkshop) -> list[str]:
    """Lines that put ssh-add and its libraries into the stage, from the context."""
    program = shutil.which("ssh-add")
    assert program is not None
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    libraries = [word for line in listed.splitlines() for word in line.split() if word.startswith("/")]
    for path in [program, *libraries]:
        target = workshop.context / "ssh" / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return ["COPY ssh /", f"ENV ADD={program}"]


def test_a_step_uses_the_callers_agent_and_never_sees_the_key(workshop: MountsWorkshop, agent: Path) -> None:
    built = workshop.of(
        *with_ssh_add(workshop),
        "RUN --mount=type=ssh $ADD -l && stat -c '%a %u:%g %F' $SSH_AUTH_SOCK",
        "RUN --mount=type=ssh,id=own,target=/s,mode=0666,uid=7,gid=8 stat -c '%a %u:%g' /s && SSH_AUTH_SOCK=/s $ADD -l",
        'RUN --mount=type=ssh,id=absent test -z "$(ls /run 2>/dev/null)" && test ! -e /run/buildkit && echo nothing',
        arguments=("--ssh", f"default={agent}", "--ssh", f"own={agent}"),
    )
    lines = said(built)
    assert sum("of-a-test" in line for line in lines) == 2
    assert "600 0:0 socket" in lines
    assert "666 7:8" in lines


def test_keys_go_into_an_agent_that_ends_with_the_build(workshop: MountsWorkshop, key: Path) -> None:
    built = workshop.of(*with_ssh_add(workshop), "RUN --mount=type=ssh $ADD -l", arguments=("--ssh", f"default={key}"))
    assert any("of-a-test" in line for line in said(built))
    assert running("ssh-agent\x00-D\x00-a\x00agent") == []


def test_a_key_with_a_passphrase_and_an_agent_that_is_not_given_are_clear_errors(
    workshop: MountsWorkshop, key: Path
) -> None:
    key.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(key)], check=True, timeout=30)
    built = workshop.of("RUN --mount=type=ssh true", arguments=("--ssh", f"default={key}"))
    assert "passphrase" in built.result["failure"]["message"]
    assert "PRIVATE" not in built.log
    built = workshop.of("RUN --mount=type=ssh,required=true true")
    assert "--ssh default" in built.result["failure"]["message"]
    assert built.result["failure"]["line"] == 2


# --- options -------------------------------------------------------------------------------------------------------


def test_options_about_steps_reach_the_steps(workshop: MountsWorkshop) -> None:
    built = workshop.of(
        "RUN ulimit -n; ulimit -Hn; cat /etc/hosts; grep ' /dev/shm ' /proc/mounts; cat /proc/self/cgroup",
        "RUN --network=none ls /sys/class/net",
        arguments=(
            *("--add-host", "registry.test:10.0.0.7", "--add-host", "six.test=[2001:db8::1]"),
            *("--ulimit", "nofile=123:456", "--shm-size", "3m"),
        ),
    )
    lines = said(built)
    assert {"123", "456", "10.0.0.7\tregistry.test", "2001:db8::1\tsix.test", "lo"} <= set(lines)
    assert any("size=3072k" in line for line in lines)


def test_all_privileges_only_where_they_are_allowed(workshop: MountsWorkshop) -> None:
    line = "RUN --security=insecure mkdir /m && /bin/busybox mount -t tmpfs x /m && echo mounted"
    built = workshop.of(line)
    assert built.result["failure"]["line"] == 2
    assert "--allow security.insecure" in built.log
    assert "mounted" in said(workshop.of(line, arguments=("--allow", "security.insecure")))


def test_in_a_user_namespace_of_its_own_all_of_it_works_too(workshop: MountsWorkshop, tmp_path: Path) -> None:
    """As in a pod of profile UserNamespace: three capabilities, and a build from a request."""
    (tmp_path / "secret").write_text(SECRET)
    workshop.write("a", "of the context\n")
    lines = (
        "RUN --mount=target=/c cat /c/a && ! touch /c/b 2>/dev/null",
        "RUN --mount=type=secret,id=s,uid=7,mode=0440 stat -c '%a %u' /run/secrets/s && cat /run/secrets/s | wc -c",
        "RUN --mount=type=cache,target=/cache,uid=9 stat -c 'owner %u' /cache && touch /cache/x",
        "RUN --mount=type=tmpfs,target=/t --mount=target=/w,rw --network=none touch /t/x /w/x && echo done",
    )
    request = BuildRequest(
        source=Source(directory=DirectorySource(path=str(workshop.context))),
        dockerfile=Dockerfile(inline="\n".join([f"FROM {workshop.base}", *lines, ""])),
        secrets=(SecretSource(id="s", path=str(tmp_path / "secret")),),
    )
    (tmp_path / "request.json").write_bytes(encode_request(request))
    command = ["setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all,+setuid,+setgid,+setfcap"]
    command += [PROGRAM, "build", "--progress", "plain", "--state", str(tmp_path / "state")]
    command += ["--request", str(tmp_path / "request.json")]
    done = subprocess.run(command, env=workshop.environment, capture_output=True, text=True, check=False, timeout=120)
    built = Built(done.returncode, done.stderr, {})
    assert {"of the context", "440 7", str(len(SECRET)), "owner 9", "done"} <= set(said(built))
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["mounts"]
    workshop.nothing_is_left()


def test_a_heredoc_with_an_interpreter_of_its_own_runs(workshop: MountsWorkshop) -> None:
    built = workshop.of("RUN <<EOF", "#!/bin/cat", "of the script", "EOF", "RUN test ! -e /dev/pipes && echo gone")
    assert {"of the script", "gone"} <= set(said(built))


def test_a_chroot_says_what_it_cannot_do(chroot_workshop: MountsWorkshop) -> None:
    for line, word in (
        ("RUN --mount=type=cache,target=/c true", "RUN --mount"),
        ("RUN --mount=type=secret,id=s true", "RUN --mount"),
        ("RUN --network=none true", "--network=none"),
        ("RUN --mount=type=tmpfs,target=/t true", "RUN --mount"),
    ):
        built = chroot_workshop.of(line, arguments=("--secret", "id=s,env=HOME"))
        failure = built.result["failure"]
        assert (failure["reason"], failure["line"]) == ("NotSupported", 2)
        assert word in failure["message"]
    built = chroot_workshop.of("RUN true", arguments=("--shm-size", "1m"))
    assert "--shm-size" in built.result["failure"]["message"]


def test_secrets_in_the_environment_and_limits_are_possible_in_a_chroot(chroot_workshop: MountsWorkshop) -> None:
    chroot_workshop.variables = {"THE_SECRET": SECRET}
    built = chroot_workshop.of(
        'RUN --mount=type=secret,id=s,env=TOKEN echo "${#TOKEN} $TOKEN"; ulimit -n',
        arguments=("--secret", "id=s,env=THE_SECRET", "--ulimit", "nofile=77"),
    )
    lines = said(built)
    assert f"{len(SECRET)} ****" in lines
    assert "77" in lines


def eventually(good: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not good():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)
