"""Rules about FROM: ARGs in it, its platform, and the images that a stage is built on or copies from."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..dockerfile import (
    Dockerfile,
    DockerfileError,
    Expansion,
    From,
    Location,
    expand,
    expansion,
    global_args,
)
from ..oci import ImageConfig, InvalidPlatform, InvalidReference, Platform, Reference
from . import rules
from .findings import Findings, shown

_TARGET = "TARGETPLATFORM"


def check_defaults(dockerfile: Dockerfile, predefined: Mapping[str, str], findings: Findings) -> None:
    """Does each FROM name something with the ARGs' defaults? Where the ARGs make no sense at all, nothing is said."""
    try:
        env = global_args(dockerfile, predefined, {})
        for stage in dockerfile.stages:
            if not is_image_name(expand(stage.base, env, escape=dockerfile.escape)):
                detail = f"without build arguments FROM {shown(stage.base)} names no image"
                findings.add(rules.INVALID_DEFAULT_ARG_IN_FROM, stage.from_instruction.location, detail)
    except DockerfileError:
        return


def is_image_name(text: str) -> bool:
    try:
        Reference.parse(text)
    except InvalidReference:
        return False
    return True


def check_from(
    instruction: From,
    env: Mapping[str, str],
    declared: Collection[str],
    own: Platform,
    *,
    escape: str,
    findings: Findings,
) -> tuple[str, Platform | None] | None:
    """The base's name and the platform that FROM asks for; None if FROM cannot be carried out.

    `declared` are all names that FROM may use, with a value or without; `own` is the machine's platform.
    """
    base = expansion(instruction.base, env, escape=escape)
    _check_declared(base, instruction, declared, findings)
    if not base.text:
        return None
    if instruction.platform is None:
        return base.text, None
    wanted = expansion(instruction.platform, env, escape=escape)
    _check_declared(wanted, instruction, declared, findings)
    if wanted.used == {_TARGET} and not wanted.unset and wanted.text == env.get(_TARGET):
        detail = f"--platform={shown(instruction.platform)} is the default"
        findings.add(rules.REDUNDANT_TARGET_PLATFORM, instruction.location, detail, instruction.comments)
    try:
        platform = Platform.parse(wanted.text, own=own)
    except InvalidPlatform:
        return None
    if not wanted.used and not wanted.unset and not _speaks_of(instruction.name or "", platform):
        detail = f"--platform={shown(wanted.text)} is a constant: other platforms cannot be built from this stage"
        findings.add(rules.FROM_PLATFORM_FLAG_CONST_DISALLOWED, instruction.location, detail, instruction.comments)
    return base.text, platform


def _check_declared(found: Expansion, instruction: From, declared: Collection[str], findings: Findings) -> None:
    for name in sorted(found.unset):
        if name not in declared:
            near = findings.nearest(name, declared)
            detail = f"there is no ARG {shown(name)} before the first FROM{near}"
            findings.add(rules.UNDEFINED_ARG_IN_FROM, instruction.location, detail, instruction.comments)


def _speaks_of(name: str, platform: Platform) -> bool:
    """A stage whose name says that it is for one platform may be."""
    return platform.os in name or platform.architecture in name


def check_image_platform(
    name: str, wanted: Platform, image: ImageConfig, location: Location | None, findings: Findings
) -> None:
    """An image without layers is for all platforms."""
    found = image.platform
    if image.diff_ids and (found.os, found.architecture) != (wanted.os, wanted.architecture):
        detail = f"{shown(name)} is an image for {found.normalized()}, and {wanted.normalized()} is built for"
        findings.add(rules.INVALID_BASE_IMAGE_PLATFORM, location, detail)
