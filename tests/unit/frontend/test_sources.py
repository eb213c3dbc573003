"""Where files come from: platforms, named contexts, URLs and repositories. Each is a source, pinned first."""

import pytest
from imagebuild_engine.core.dockerfile import parse_dockerfile
from imagebuild_engine.core.frontend import (
    BuildOptions,
    CommitRequest,
    ImageRequest,
    Lowered,
    NeedsPins,
    PinnedCommit,
    PinnedFile,
    Pins,
    lower,
)
from imagebuild_engine.core.graph import CopyAction, ExecOp, FileOp, GitSource, HttpSource, ImageSource, LocalSource
from imagebuild_engine.core.oci import Digest, Platform, Reference

from tests.support.lowering import AMD64, BASE, image, refusal

ARM = Platform("linux", "arm64")
URL, REPOSITORY = "https://files.example/dir/f.txt?x=1", "https://git.example/r.git"
SUM = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
COMMIT = "fc89fdc84eb3dfca1070611b3cac163b2b26ebe1"


def asked(text: str, pins: Pins | None = None, **options: object) -> NeedsPins | Lowered:
    given = BuildOptions(**{"platform": AMD64, "build_platform": AMD64, **options})  # type: ignore[arg-type]
    return lower(parse_dockerfile(text.encode()), given, pins or Pins(images=BASE))


def needs(text: str, **options: object) -> NeedsPins:
    result = asked(text, **options)
    assert isinstance(result, NeedsPins)
    return result


def plan(text: str, pins: Pins, **options: object) -> Lowered:
    result = asked(text, pins, **options)
    assert isinstance(result, Lowered), result
    return result


def source_of(lowered: Lowered) -> object:
    """What the last step's last action copies from."""
    vertex = lowered.steps[-1]
    assert isinstance(vertex.op, FileOp)
    action = vertex.op.actions[-1]
    assert isinstance(action, CopyAction)
    return vertex.inputs[action.source_input].vertex.op


def test_an_image_is_asked_for_with_the_platform_that_from_names() -> None:
    text = "FROM --platform=$BUILDPLATFORM base AS tools\nFROM base\nCOPY --from=tools /a /b"
    requests = needs(text, platform=ARM, platform_requested=True).images
    assert set(requests) == {ImageRequest(Reference.parse("base"), ARM)}
    two = {ImageRequest(Reference.parse("base"), platform): BASE[next(iter(BASE))] for platform in (AMD64, ARM)}
    lowered = plan(text, Pins(images=two), platform=ARM, platform_requested=True)
    assert lowered.platform == ARM
    source = source_of(lowered)
    assert isinstance(source, ImageSource)
    assert source.platform == AMD64


def test_a_step_runs_on_the_platform_of_its_stage() -> None:
    two = {ImageRequest(Reference.parse("base"), ARM): BASE[next(iter(BASE))]}
    lowered = plan("FROM --platform=arm64 base AS a\nFROM a\nRUN x", Pins(images=two))
    assert isinstance(lowered.steps[0].op, ExecOp)
    assert lowered.steps[0].op.platform == ARM


def test_a_url_is_asked_for_and_named_by_its_path() -> None:
    text = f"FROM base\nADD {URL} /w/"
    assert needs(text).files == (URL,)
    pinned = PinnedFile(checksum=Digest.parse(SUM), last_modified="Fri, 14 Jul 2017 02:40:00 GMT")
    source = source_of(plan(text, Pins(images=BASE, files={URL: pinned})))
    assert source == HttpSource(
        url=URL, filename="f.txt", checksum=Digest.parse(SUM), last_modified=pinned.last_modified
    )


def test_a_url_with_a_checksum_needs_nobody_to_be_asked() -> None:
    source = source_of(plan(f"FROM base\nARG S={SUM}\nADD --checksum=$S {URL} /w/", Pins(images=BASE)))
    assert source == HttpSource(url=URL, filename="f.txt", checksum=Digest.parse(SUM))


@pytest.mark.parametrize(("url", "name"), [("https://x.example", "__unnamed__"), ("https://x.example/a/", "a")])
def test_the_name_of_what_a_url_gives(url: str, name: str) -> None:
    source = source_of(plan(f"FROM base\nADD --checksum={SUM} {url} /w/", Pins(images=BASE)))
    assert isinstance(source, HttpSource)
    assert source.filename == name


def test_a_repository_is_asked_for_by_its_revision() -> None:
    text = f"FROM base\nARG REF=v1\nADD --keep-git-dir=true {REPOSITORY}#$REF:sub /r"
    request = CommitRequest(REPOSITORY, "v1")
    assert needs(text).commits == (request,)
    pinned = PinnedCommit(commit=COMMIT, ref="refs/tags/v1")
    source = source_of(plan(text, Pins(images=BASE, commits={request: pinned})))
    assert source == GitSource(remote=REPOSITORY, commit=COMMIT, ref="refs/tags/v1", subdir="sub", keep_git_dir=True)


def test_a_repository_at_another_commit_than_demanded_is_refused() -> None:
    text = f"FROM base\nADD --checksum=aaaa111 {REPOSITORY} /r"
    pins = Pins(images=BASE, commits={CommitRequest(REPOSITORY, ""): PinnedCommit(commit=COMMIT, ref="HEAD")})
    with pytest.raises(Exception, match=f"at {COMMIT}, not at aaaa111"):
        asked(text, pins)


def test_a_named_context_takes_the_place_of_an_image() -> None:
    text = "FROM alpine:latest\nCOPY --from=docker.io/library/tools /a /b"
    contexts = {"alpine": "docker-image://base", "tools": "local:tools"}
    lowered = plan(text, Pins(images=BASE), contexts=contexts)
    assert source_of(lowered) == LocalSource(name="tools")
    base = lowered.steps[0].inputs[0].vertex.op
    assert isinstance(base, ImageSource)
    assert base.reference.repository == "library/base"


def test_a_named_context_takes_the_place_of_a_stage_with_all_that_it_does() -> None:
    text = "FROM gone AS build\nRUN never\nFROM base\nCOPY --from=build /a /b\nCOPY --from=0 /a /c"
    lowered = plan(text, Pins(images=BASE), contexts={"build": "local:build"})
    assert source_of(lowered) == LocalSource(name="build")
    assert [type(step.op) for step in lowered.steps] == [FileOp, FileOp]


def test_a_named_context_for_one_platform_only() -> None:
    contexts = {"alpine::linux/amd64": "local:amd", "alpine": "docker-image://base"}
    assert source_of(plan("FROM base\nCOPY --from=alpine /a /b", Pins(images=BASE), contexts=contexts)) == LocalSource(
        name="amd"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("FROM base\nCOPY https://x.example/f /f", "URL"),
        ("FROM base\nARG U=https://x.example/f\nCOPY $U /f", "only ADD can fetch"),
        (f"FROM base\nADD --checksum={SUM} a /f", "URL or a Git repository"),
        (f"FROM base\nADD --checksum={SUM} {URL} {URL} /f/", "exactly one source"),
        (f"FROM base\nADD --checksum=md5:1 {URL} /f/", "--checksum=md5:1"),
        (f"FROM base\nADD --keep-git-dir=true {REPOSITORY}?keep-git-dir=false /f/", "keep-git-dir differs"),
    ],
)
def test_sources_that_make_no_sense(text: str, words: str) -> None:
    error = refusal(text)
    assert words in str(error)
    assert error.location is not None


def test_an_oci_layout_as_context_is_refused_by_name() -> None:
    assert "oci-layout" in str(refusal("FROM x", contexts={"x": "oci-layout://dir"}))


def test_the_label_of_a_source_hides_its_password() -> None:
    text = f"FROM base\nADD --checksum={SUM} https://me:secret@x.example/f /f"
    lowered = plan(text, Pins(images=BASE | image("other")))
    vertex = lowered.steps[-1]
    assert "secret" not in " ".join(edge.vertex.description for edge in vertex.inputs)
