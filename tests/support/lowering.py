"""Dockerfiles lowered on pinned images that nobody has to pull."""

from collections.abc import Mapping

import pytest
from imagebuild_engine.core.dockerfile import DockerfileError, parse_dockerfile
from imagebuild_engine.core.frontend import BuildOptions, ImageRequest, Lowered, PinnedImage, Pins, lower
from imagebuild_engine.core.graph import CopyAction, ExecOp, FileOp, MkdirAction
from imagebuild_engine.core.oci import (
    Descriptor,
    Digest,
    HistoryEntry,
    ImageConfig,
    MediaType,
    Platform,
    Reference,
    RunConfig,
)

Images = Mapping[ImageRequest, PinnedImage]
AMD64 = Platform("linux", "amd64")
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LAYER = Descriptor(media_type=MediaType.OCI_LAYER_GZIP, digest=Digest.of(b"layer"), size=5)


def image(name: str, **config: object) -> dict[ImageRequest, PinnedImage]:
    """A pinned image of one layer under that name."""
    reference = Reference.parse(name)
    digest = Digest.of(name.encode())
    described = ImageConfig(
        platform=AMD64,
        config=RunConfig(**config),  # type: ignore[arg-type]
        diff_ids=(Digest.of(b"diff"),),
        history=(HistoryEntry(created="2026-01-01T00:00:00Z", created_by="base"),),
        author="Ann",
    )
    pinned = PinnedImage(
        reference=reference.with_digest(digest), digest=digest, platform=AMD64, config=described, layers=(LAYER,)
    )
    return {ImageRequest(reference, AMD64): pinned}


BASE = image("base", env=(PATH, "BASE=1"))


def lowered(
    text: str,
    images: Images = BASE,
    *,
    args: Mapping[str, str] | None = None,
    **more: object,
) -> Lowered:
    options = BuildOptions(platform=AMD64, build_platform=AMD64, build_args=args or {}, **more)  # type: ignore[arg-type]
    result = lower(parse_dockerfile(text.encode()), options, Pins(images=images))
    assert isinstance(result, Lowered), result
    return result


def last_run(plan: Lowered) -> ExecOp:
    op = plan.steps[-1].op
    assert isinstance(op, ExecOp)
    return op


def last_copies(plan: Lowered) -> list[CopyAction]:
    op = plan.steps[-1].op
    assert isinstance(op, FileOp)
    return [action for action in op.actions if isinstance(action, CopyAction)]


def first_mkdir(plan: Lowered) -> MkdirAction:
    op = plan.steps[0].op
    assert isinstance(op, FileOp)
    action = op.actions[0]
    assert isinstance(action, MkdirAction)
    return action


def commands(plan: Lowered) -> list[str]:
    return [step.op.args[-1] for step in plan.steps if isinstance(step.op, ExecOp)]


def refusal(text: str, images: Images = BASE, **more: object) -> DockerfileError:
    with pytest.raises(DockerfileError) as caught:
        lowered(text, images, **more)  # type: ignore[arg-type]
    return caught.value
