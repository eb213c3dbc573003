"""`imagebuild doctor` for whoever may ask: root, root of a user namespace with one id, nobody in particular."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.root import needs_root
from tests.support.runtimes import runtime

pytestmark = [pytest.mark.root, needs_root]

# Reading is all that this user may do beyond others: the interpreter may lie in root's home.
_NOBODY = [
    *("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"),
    *("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"),
    "--bounding-set=-all,+dac_read_search",
]
_ONE_ID = ["unshare", "--user", "--map-root-user"]
_WHO = {"root": [], "root of a user namespace": _ONE_ID, "nobody": _NOBODY}


Done = subprocess.CompletedProcess[str]


def imagebuild(who: str, *arguments: str, runc: str = "", directory: Path | None = None) -> Done:
    for program in _WHO[who][:1]:
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}: apt-get install util-linux")
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "IMAGEBUILD_RUNTIME": runc}
    if directory is not None:
        environment["TMPDIR"] = str(directory)
    command = [*_WHO[who], str(Path(sys.executable).parent / "imagebuild"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    for noise in ("Traceback", "internal error", "Errno", "PosixPath"):
        assert noise not in done.stdout + done.stderr
    return done


@pytest.fixture
def anybodys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that everybody can reach and write to."""
    directory = Path("/tmp") / f"imagebuild-doctor-{os.getpid()}"
    directory.mkdir()
    directory.chmod(0o1777)
    return directory


@pytest.mark.parametrize(
    ("who", "executor", "says"),
    [
        ("root", "oci", "runs steps in containers on overlayfs"),
        ("root of a user namespace", "none", "there is one user id here"),
        ("nobody", "none", "not allowed: chroot, changing to other users, giving files to other users"),
    ],
)
def test_everybody_learns_what_is_possible_and_why(who: str, executor: str, says: str) -> None:
    done = imagebuild(who, "doctor", runc=str(runtime().path))
    assert done.returncode == 0, done.stderr
    first = done.stdout.splitlines()[0]
    assert first.startswith(f"executor: {executor} (RUN steps ")
    assert says in done.stdout
    assert ("to get more:" in done.stdout) == (executor != "oci")
    value = json.loads(imagebuild(who, "doctor", "--format", "json", runc=str(runtime().path)).stdout)
    assert value["choice"]["executor"] == executor


@pytest.mark.parametrize("runc", ["/nonexistent", "/bin/true", "no-such-program"])
def test_a_runtime_that_will_not_do_is_named_with_what_to_do(runc: str) -> None:
    done = imagebuild("root", "doctor", runc=runc)
    assert done.stdout.startswith("executor: chroot")
    assert f"container runtime: none ({runc} is " in done.stdout
    assert "to get more: install runc 1.2 or crun 1.9" in done.stdout


@pytest.mark.parametrize("who", ["root", "nobody"])
def test_a_state_directory_that_cannot_be_is_named(who: str) -> None:
    done = imagebuild(who, "doctor", "--state", "/proc/nothing")
    assert done.returncode == 1
    assert "/proc/nothing cannot be used" in done.stderr


@pytest.mark.parametrize("who", sorted(_WHO))
def test_everybody_can_build_what_runs_nothing(who: str, anybodys: Path) -> None:
    context = anybodys / "context"
    context.mkdir(0o755)
    (context / "Dockerfile").write_text("FROM scratch\nWORKDIR /w\nCOPY --chown=7:8 Dockerfile .\n")
    try:
        done = imagebuild(who, "build", "--progress", "plain", str(context), directory=anybodys)
        assert done.returncode == 0, done.stderr
        assert [path.name for path in anybodys.iterdir()] == ["context"]
    finally:
        shutil.rmtree(anybodys)


def test_nobody_can_build_in_a_directory_of_somebody_else_but_is_told_so(anybodys: Path) -> None:
    context = anybodys / "context"
    context.mkdir(0o755)
    (context / "Dockerfile").write_text("FROM scratch\nWORKDIR /w\n")
    try:
        done = imagebuild("nobody", "build", "--state", "/proc/nothing", str(context), directory=anybodys)
        assert done.returncode == 23
        assert "/proc/nothing cannot be used" in done.stderr
    finally:
        shutil.rmtree(anybodys)
