"""What goes wrong while steps run and layers are unpacked becomes a reason, an exit code and a sentence."""

import errno
from pathlib import Path

import pytest
from imagebuild_engine.build.failures import (
    LayerBroken,
    LayerLost,
    StateUnusable,
    StepFailed,
    StepRefused,
    failure_of,
    file_problem,
)
from imagebuild_engine.contract import FAILURES, Reason
from imagebuild_engine.core.graph import Origin
from imagebuild_engine.core.oci import Digest
from imagebuild_engine.host.content import DiskFull, WrongDigest
from imagebuild_engine.host.executor import ExecutorUnavailable, NotPossibleHere, StepTimedOut
from imagebuild_engine.host.layers import InvalidLayer, OwnerRefused, WrongDiffId
from imagebuild_engine.host.rootfs import CopyConflict, TooManyLinks, UserNotFound
from imagebuild_engine.host.snapshots import MountFailed

ORIGIN = Origin(stage="build", line=7, instruction="RUN make")
DIGEST = Digest.of(b"")


@pytest.mark.parametrize(
    ("error", "reason", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), Reason.DISK_PRESSURE, "disk that holds the build is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), Reason.DISK_PRESSURE, "--state"),
        (DiskFull(Path("/state/blobs")), Reason.DISK_PRESSURE, "/state/blobs"),
        (RuntimeError("can't start new thread"), Reason.BUILDER_CRASHED, "limit of processes"),
        (OSError(errno.EMFILE, "Too many open files"), Reason.BUILDER_CRASHED, "Too many open files"),
        (StateUnusable("the directory /x cannot be used: why"), Reason.BUILDER_CRASHED, "/x"),
        (ExecutorUnavailable("oci", "no cgroup"), Reason.BUILDER_CRASHED, "no cgroup"),
        (MountFailed(Path("/m"), 3, OSError(1, "Operation not permitted")), Reason.BUILDER_CRASHED, "3 layers"),
        (NotPossibleHere("chroot", "--network=none"), Reason.NOT_SUPPORTED, "--network=none"),
        (StepTimedOut(3), Reason.TIMED_OUT, "3 s"),
        (LayerLost("layer x is gone from y"), Reason.REGISTRY_UNAVAILABLE, "gone"),
        (WrongDigest(DIGEST, DIGEST), Reason.REGISTRY_UNAVAILABLE, "should have been"),
        (LayerBroken("reg/app:1", InvalidLayer("not a tar")), Reason.BASE_IMAGE_NOT_FOUND, "reg/app:1.*not a tar"),
        (LayerBroken("reg/app:1", OwnerRefused(b"f", 70000, 1)), Reason.BASE_IMAGE_NOT_FOUND, "70000:1"),
        (LayerBroken("reg/app:1", WrongDiffId(DIGEST, DIGEST)), Reason.CHECKSUM_MISMATCH, "the image config says"),
        (StepFailed(ORIGIN, 3, "tail"), Reason.STEP_FAILED, "line 7: RUN make: ended with exit code 3"),
        (StepFailed(ORIGIN, 1, "tail", disk_full=True), Reason.DISK_PRESSURE, "exit code 1; the disk"),
        (StepFailed(ORIGIN, 127, "", problem='"gcc" is missing'), Reason.STEP_FAILED, 'RUN make: "gcc" is missing'),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_every_error_has_its_reason_and_says_what_to_do(error: Exception, reason: Reason, says: str) -> None:
    import re

    failed = failure_of(error)
    assert failed.reason is reason
    assert re.search(says, failed.message), failed.message
    assert "internal error" not in failed.message
    assert FAILURES[reason].exit_code


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (CopyConflict(b"d", source_is_directory=True), "/d is there already and is not a directory"),
        (TooManyLinks(b"way/f"), "/way/f: too many symbolic links"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "xxx"), "/xxx: File name too long"),
        (PermissionError(errno.EACCES, "Permission denied", b"secret"), "/secret: Permission denied"),
        (UserNotFound("user", "me"), '"me" is not in the image'),
        (InvalidLayer("cut short"), "the archive cannot be unpacked: cut short"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_lies_in_the_way_of_a_file_step_is_the_users_with_its_line(error: Exception, says: str) -> None:
    found = file_problem(ORIGIN, error)
    assert isinstance(found, StepRefused)
    failed = failure_of(found)
    assert (failed.reason, failed.line) == (Reason.STEP_FAILED, 7)
    assert says in failed.message


def test_a_full_disk_in_a_file_step_stays_the_infrastructures() -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    assert failure_of(file_problem(ORIGIN, error)).reason is Reason.DISK_PRESSURE
