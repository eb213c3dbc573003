"""Builds on images and contexts from people who mean harm, or were careless: nothing gets out, and words say why."""

import gzip
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.workshop import EXECUTORS, NEEDS_A_REGISTRY, Built, Workshop, runtime_for
from tests.support.images import busybox_layer, push_image
from tests.support.registry import RunningRegistry, running_registry
from tests.support.tars import directory, file, member, symlink, tar

pytestmark = NEEDS_A_REGISTRY


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture(params=EXECUTORS)
def workshop(request: pytest.FixtureRequest, tmp_path: Path, registry: RunningRegistry) -> Workshop:
    (tmp_path / "context").mkdir()
    return Workshop(registry, f"{registry.host}/base:1", tmp_path / "context", tmp_path, runtime_for(request.param))


def build_on(workshop: Workshop, layer: bytes, *instructions: str) -> Built:
    push_image(workshop.base, [busybox_layer(), layer])
    workshop.write("Dockerfile", "\n".join([f"FROM {workshop.base}", *instructions, ""]))
    built = workshop.build()
    assert "internal error" not in built.log
    assert not list(workshop.folder.glob("build-*"))
    return built


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (tar([file("../../../escaped", "x")]), 'entry "../../../escaped": a ".." in the path'),
        (tar([symlink("l", "l"), file("l/f")]), 'entry "l/f": cannot be unpacked: '),
        (tar([file("x" * 300)]), "a name that the file system cannot hold"),
        (tar([file("f")])[:700] + b"broken" * 300, "wrong checksum in a tar header"),
    ],
    ids=["dots", "loop", "long", "broken"],
)
def test_a_bad_layer_is_the_images_fault_and_named(workshop: Workshop, layer: bytes, says: str) -> None:
    built = build_on(workshop, layer, "RUN true")
    assert built.code == 13
    assert f"a layer of {workshop.base}" in built.log
    assert says in built.log


@pytest.mark.parametrize("absolute", [True, False])
def test_copy_and_workdir_through_links_stay_in_the_image(workshop: Workshop, absolute: bool) -> None:
    outside = workshop.folder / "outside"
    outside.mkdir()
    (outside / "f").write_text("unharmed")
    to = str(outside) if absolute else "../" * 20 + str(outside).lstrip("/")
    workshop.write("f", "new")
    (workshop.context / "a.tar").write_bytes(tar([file("g", "new"), symlink("up", "/"), file("up/h", "new")]))
    check = f"test -f {outside}/f -a -f {outside}/w/g -a -d {outside}/w/made -a -f {outside}/w/h"
    built = build_on(
        workshop,
        tar([symlink("way", to)]),
        "COPY f /way/",
        "COPY f /way/f",
        "ADD a.tar /way/w/",
        "WORKDIR /way/w/made",
        f"RUN /bin/busybox {check}",
    )
    assert built.code == 0, built.log
    assert sorted(path.name for path in outside.iterdir()) == ["f"]
    assert (outside / "f").read_text() == "unharmed"


@pytest.mark.parametrize(
    "entries",
    [
        [file("etc/hosts", "# own"), file("etc/resolv.conf", "# own")],
        [symlink("etc/hosts", "/run/hosts"), symlink("etc/resolv.conf", "../run/resolv.conf")],
        [directory("etc/resolv.conf"), file("etc/resolv.conf/x")],
        [member("etc/resolv.conf", tarfile.FIFOTYPE), member("etc/hosts", tarfile.CHRTYPE, device=(1, 5))],
        [file(".wh.etc"), file("etc")],
        [symlink("dev", "/etc")],
    ],
    ids=["files", "links", "directory", "special", "no etc", "dev is a link"],
)
def test_what_the_image_has_in_the_executors_places_does_no_harm_and_stays(
    workshop: Workshop, entries: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    built = build_on(workshop, tar(entries), "RUN echo > /tmp/one", "RUN echo > /tmp/two")
    assert built.code == 0, built.log
    # The first step leaves the directories that the image does not have, the second finds them.
    assert layer_names(workshop, -2) - {"proc", "dev", "sys"} == {"tmp", "tmp/one"}
    assert layer_names(workshop, -1) == {"tmp", "tmp/two"}


def layer_names(workshop: Workshop, position: int) -> set[str]:
    import json

    blobs = workshop.registry.data / "docker/registry/v2/blobs/sha256"
    digest = json.loads((workshop.folder / "metadata.json").read_text())["containerimage.digest"].partition(":")[2]
    shown = json.loads((blobs / digest[:2] / digest / "data").read_text())
    digest = shown["layers"][position]["digest"].partition(":")[2]
    with tarfile.open(blobs / digest[:2] / digest / "data") as layer:
        return set(layer.getnames())


def test_a_step_that_takes_etc_and_dev_away_is_a_step_like_others(workshop: Workshop) -> None:
    layer = tar([file("etc/hosts", "# own")])
    built = build_on(
        workshop, layer, "RUN rm -rf /etc /dev; true", "RUN rm -rf /etc; ln -s /tmp /etc; true", "RUN true"
    )
    assert built.code == 0, built.log


@pytest.mark.parametrize(
    ("instruction", "code", "says"),
    [
        ('RUN ["nonesuch"]', 11, 'cannot start "nonesuch": not found in PATH'),
        ('RUN ["/etc/passwd"]', 11, "permission denied"),
        ("ADD cut.tar.gz /x/", 11, "the archive cannot be unpacked: the gzip data ends too early"),
        ("ADD up.tar /x/", 11, 'the archive cannot be unpacked: entry "../../f": a ".." in the path'),
        ("COPY f /etc/passwd/x", 11, "/etc/passwd is there already and is not a directory"),
        ("WORKDIR /etc/passwd", 11, "/etc/passwd is there already and is not a directory"),
        ("COPY f /loop/x", 11, "too many symbolic links"),
        ("COPY out /x", 12, '"/out": not found'),
    ],
)
def test_mistakes_are_told_in_words_with_their_line(workshop: Workshop, instruction: str, code: int, says: str) -> None:
    workshop.write("f", "1")
    (workshop.context / "out").symlink_to(workshop.folder)
    (workshop.context / "cut.tar.gz").write_bytes(gzip.compress(tar([file("f", os.urandom(5000))]))[:-30])
    (workshop.context / "up.tar").write_bytes(tar([file("../../f", "x")]))
    built = build_on(workshop, tar([symlink("loop", "loop")]), instruction)
    assert built.code == code
    assert says in built.log
    assert f">>> {instruction}" in built.log
