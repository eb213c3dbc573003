"""Builds that end before their time: by signals, by a full disk, by steps that never stop. Nothing of them is left."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from imagebuild_engine.contract import BuildRequest, DirectorySource, Dockerfile, Source, encode_request
from imagebuild_engine.host.rootfs.syscalls import MNT_DETACH, mount, umount

from tests.conformance.executors import running
from tests.integration.workshop import EXECUTORS, NEEDS_A_REGISTRY, Workshop, runtime_for
from tests.support.images import busybox_layer, push_busybox, push_image
from tests.support.program import PROGRAM
from tests.support.registry import RunningRegistry, running_registry
from tests.support.tars import file, tar

pytestmark = NEEDS_A_REGISTRY
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        push_busybox(registry.host)
        yield registry


@pytest.fixture(params=EXECUTORS)
def workshop(request: pytest.FixtureRequest, tmp_path: Path, registry: RunningRegistry) -> Workshop:
    (tmp_path / "context").mkdir()
    base = f"{registry.host}/library/busybox:1"
    return Workshop(registry, base, tmp_path / "context", tmp_path, runtime_for(request.param))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    place = tmp_path / "small"
    place.mkdir()
    mount("tmpfs", str(place), "tmpfs", 0, f"size={8 * MEGABYTE}")
    yield place
    assert [path.name for path in place.iterdir()] == []
    umount(str(place), MNT_DETACH)


def start(workshop: Workshop, *arguments: str) -> subprocess.Popen[str]:
    command = [PROGRAM, "build", "--progress", "plain", *arguments, str(workshop.context)]
    return subprocess.Popen(
        command, env=workshop.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def request_file(workshop: Workshop, dockerfile: str, timeout_seconds: float | None = None) -> Path:
    request = BuildRequest(
        source=Source(directory=DirectorySource(path=str(workshop.context))),
        dockerfile=Dockerfile(inline=dockerfile),
        timeout_seconds=timeout_seconds,
    )
    path = workshop.folder / "request.json"
    path.write_bytes(encode_request(request))
    return path


def eventually(good: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not good():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


def nothing_is_left(workshop: Workshop, marker: str) -> bool:
    return (
        not running(marker)
        and str(workshop.folder) not in Path("/proc/self/mounts").read_text()
        and not list(workshop.folder.glob("build-*"))
    )


@pytest.mark.parametrize(("number", "times"), [(signal.SIGTERM, 1), (signal.SIGINT, 3)])
def test_a_signal_ends_the_step_and_the_build_tidily(workshop: Workshop, number: signal.Signals, times: int) -> None:
    step = "setsid sleep 91.0001 & trap '' TERM; sleep 91.0002; sleep 91.0003"
    workshop.write("Dockerfile", f"FROM {workshop.base}\nRUN /bin/busybox {step}\n")
    engine = start(workshop)
    eventually(lambda: len(running("91.000")) >= 2, "the step runs")
    for _ in range(times):
        engine.send_signal(number)
        time.sleep(0.1)
    said, _ = engine.communicate(timeout=30)
    assert engine.returncode == 130
    assert said.endswith("error: the build was interrupted\n")
    assert nothing_is_left(workshop, "91.000")


def test_a_killed_engine_leaves_nothing_either(workshop: Workshop) -> None:
    workshop.write("Dockerfile", f"FROM {workshop.base}\nRUN sleep 92.0001 & sleep 92.0002\n")
    engine = start(workshop)
    eventually(lambda: len(running("sleep\x0092.000")) == 2, "the step runs")
    engine.kill()
    engine.communicate(timeout=30)
    eventually(lambda: nothing_is_left(workshop, "92.000"), "all is gone")


def test_a_signal_while_layers_are_unpacked_ends_the_build_at_once(workshop: Workshop) -> None:
    noise = random.Random(1).randbytes(MEGABYTE)
    large = tar([file(f"f{number}", noise) for number in range(60)])
    base = f"{workshop.registry.host}/large:1"
    push_image(base, [busybox_layer(), large])
    workshop.write("Dockerfile", f"FROM {base}\nRUN true\n")
    engine = start(workshop)
    eventually(lambda: bool(list(workshop.folder.glob("build-*/snapshots/*/*/f1"))), "unpacking has begun")
    engine.send_signal(signal.SIGINT)
    said, _ = engine.communicate(timeout=30)
    assert (engine.returncode, "interrupted" in said) == (130, True), said
    assert nothing_is_left(workshop, str(workshop.folder))


@pytest.mark.parametrize("workshop", ["oci"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_in_a_user_namespace_of_its_own_the_engine_ends_with_the_process_that_waits_outside(
    workshop: Workshop, number: signal.Signals
) -> None:
    """As in a pod of profile UserNamespace: three capabilities, and a build from a request."""
    step = "setsid sleep 95.0001 & sleep 95.0002"
    command = ["setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all,+setuid,+setgid,+setfcap"]
    command += [PROGRAM, "build", "--state", str(workshop.folder / "state"), "--request"]
    outside = subprocess.Popen(
        [*command, str(request_file(workshop, f"FROM {workshop.base}\nRUN /bin/busybox {step}\n"))],
        env=workshop.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    eventually(lambda: len(running("sleep\x0095.000")) == 2, "the step runs")
    outside.send_signal(number)
    said, _ = outside.communicate(timeout=30)
    assert outside.returncode in {130, -9}
    assert "interrupted" in said
    eventually(lambda: nothing_is_left(workshop, "95.000"), "all is gone")
    assert list((workshop.folder / "state").iterdir()) == []


def test_a_timeout_of_the_whole_build_kills_its_steps(workshop: Workshop) -> None:
    request = request_file(workshop, f"FROM {workshop.base}\nRUN sleep 93.0001\n", timeout_seconds=2)
    done = workshop.run("build", "--state", str(workshop.folder / "state"), "--request", str(request))
    assert done.returncode == 31, done.stderr
    assert "did not end within its timeout" in done.stderr
    assert nothing_is_left(workshop, "93.000")


# --- steps that never stop --------------------------------------------------------------------------------------------


def test_what_a_step_prints_is_bounded_and_its_end_is_shown(workshop: Workshop) -> None:
    step = "/bin/busybox yes 0123456789 | head -c 20000000; echo; echo the reason; exit 3"
    workshop.write("Dockerfile", f"FROM {workshop.base}\nRUN {step}\n")
    built = workshop.build()
    assert built.code == 11
    assert len(built.log) < 8 * MEGABYTE
    assert "output clipped" in built.log
    assert "| the reason" in built.log
    assert built.result["failure"]["log_tail"].endswith("the reason")
    assert built.result["peak_rss_bytes"] < 150 * MEGABYTE


# --- full disks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "instruction",
    ["RUN head -c 20000000 /dev/zero > /f", "COPY large /", "ADD large.tar /x/"],
)
def test_a_full_disk_is_no_fault_of_the_user(workshop: Workshop, small_disk: Path, instruction: str) -> None:
    noise = random.Random(2).randbytes(12 * MEGABYTE)
    (workshop.context / "large").write_bytes(noise)
    (workshop.context / "large.tar").write_bytes(tar([file("f", noise)]))
    workshop.write("Dockerfile", f"FROM {workshop.base}\n{instruction}\n")
    built = workshop.build("--state", str(small_disk))
    assert built.code == 22, built.log
    assert "the disk that holds the build is full" in built.log
    assert built.result["failure"]["reason"] == "DiskPressure"


@pytest.mark.parametrize("size", [5, 12])
def test_a_disk_that_is_full_before_a_base_is_there(workshop: Workshop, small_disk: Path, size: int) -> None:
    """Of 5 MB the compressed layer finds room, but not its files; of 12 MB not even that."""
    noise = random.Random(3).randbytes(size * MEGABYTE)
    base = f"{workshop.registry.host}/size{size}:1"
    push_image(base, [busybox_layer(), tar([file("f", noise)])])
    workshop.write("Dockerfile", f"FROM {base}\nRUN true\n")
    built = workshop.build("--state", str(small_disk))
    assert built.code == 22, built.log
    assert "the disk that holds the build is full" in built.log


def test_a_disk_that_is_full_when_the_layer_is_packed(workshop: Workshop, small_disk: Path) -> None:
    workshop.write("Dockerfile", f"FROM {workshop.base}\nRUN head -c 4000000 /dev/urandom > /f\n")
    built = workshop.build("--state", str(small_disk))
    assert built.code == 22, built.log
    assert "the disk that holds the build is full" in built.log


def test_a_state_directory_that_cannot_be_is_named(workshop: Workshop) -> None:
    workshop.write("Dockerfile", f"FROM {workshop.base}\n")
    built = workshop.build("--state", "/proc/nothing/here")
    assert 20 <= built.code < 30
    assert "/proc/nothing/here cannot be used" in built.log


def test_no_descriptor_and_no_variable_of_the_engine_reaches_a_step(workshop: Workshop) -> None:
    check = "/bin/busybox env | /bin/busybox grep -i imagebuild; ls -l /proc/self/fd 2>/dev/null; exit 0"
    workshop.write("Dockerfile", f"FROM {workshop.base}\nRUN {check}\n")
    held = os.open(workshop.folder, os.O_RDONLY)
    os.set_inheritable(held, True)
    command = [PROGRAM, "build", "--progress", "plain", str(workshop.context)]
    try:
        done = subprocess.run(
            command,
            env={**workshop.environment, "IMAGEBUILD_TOKEN": "secret"},
            pass_fds=[held],
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        os.close(held)
    printed = [line for line in done.stderr.splitlines() if line.startswith("#1 |")]
    assert "secret" not in done.stderr
    assert not [line for line in printed if str(workshop.folder) in line]
