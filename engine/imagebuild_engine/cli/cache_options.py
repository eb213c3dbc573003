"""`--cache-from` and `--cache-to` as buildx writes them. What buildx has and we have not is refused by name."""

from pathlib import Path
from typing import Literal

import click
from msgspec.structs import replace

from ..contract import CacheSource, CacheTarget, Digest, InvalidDigest
from .options import attributes, reference
from .steps import size

_FROM, _TO = "--cache-from", "--cache-to"
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
ATTACHED = CacheTarget(type="attached", mode="max", ignore_error=True)
"""What comes with every image that is pushed, unless the caches to write are named."""
# What these say is what happens anyway: gzip at its usual level, layers of the image as they are.
_HARMLESS = {"compression": "gzip", "force-compression": "false"}


def cache_from(values: tuple[str, ...]) -> tuple[CacheSource, ...]:
    """The sources in order of preference."""
    return tuple(source(_FROM, value) for value in values)


def source(option: str, text: str) -> CacheSource:
    """A reference, type=registry,ref=… or type=local,src=…"""
    if "=" not in text:
        reference(option, text)
        return CacheSource(ref=text)
    given = _Attributes(option, text)
    match given.kind:
        case "registry":
            ref = given.reference("ref")
            given.end()
            return CacheSource(ref=ref)
        case "local":
            directory, digest, tag = given.directory("src"), given.take("digest"), given.take("tag")
            given.end()
            if digest:
                _digest(option, digest)
            return CacheSource(ref=directory, type="local", digest=digest, tag=tag)
        case "steps":
            ref = given.repository("ref")
            given.end()
            return CacheSource(ref=ref, type="steps", kind="shared")
        case _:
            raise given.foreign()


def cache_to(values: tuple[str, ...]) -> tuple[tuple[CacheTarget, ...], bool]:
    """The caches to write, and whether the image carries one inline."""
    targets, inline = [], False
    for value in values:
        given = _Attributes(_TO, value) if "=" in value else _Attributes(_TO, f"type=registry,ref={value}")
        if value == "inline" or given.kind == "inline":
            inline = True
            if value != "inline":
                _inline(given)
        else:
            targets.append(_target(given))
    return tuple(targets), inline


def _inline(given: "_Attributes") -> None:
    if given.take("mode", "min") != "min":
        raise given.wrong("an inline cache has the image's own layers only; give type=registry with mode=max")
    given.end()


def _target(given: "_Attributes") -> CacheTarget:
    if given.kind == "steps":
        return _steps(given)
    if given.kind == "attached":
        return _attached(given)
    mode = given.take("mode", "min")
    if mode not in ("min", "max"):
        raise given.wrong(f'mode is min or max, not "{mode}"')
    oci = given.flag("oci-mediatypes", default=True)
    manifest = given.flag("image-manifest", default=oci)
    if manifest and not oci:
        raise given.wrong("an image manifest needs oci-mediatypes=true")
    ignore_error = given.flag("ignore-error", default=False)
    kind: Literal["registry", "local"]
    match given.kind:
        case "registry":
            kind, ref, tag = "registry", given.tagged("ref"), "latest"
        case "local":
            kind, ref, tag = "local", given.directory("dest"), given.take("tag", "latest")
        case _:
            raise given.foreign()
    given.end()
    return CacheTarget(
        ref=ref,
        type=kind,
        mode="max" if mode == "max" else "min",
        tag=tag,
        image_manifest=manifest,
        oci_media_types=oci,
        ignore_error=ignore_error,
    )


def _attached(given: "_Attributes") -> CacheTarget:
    if given.take("mode", "max") != "max":
        raise given.wrong("an attached cache holds the steps of all stages (mode=max)")
    max_size = given.take("max-size")
    keep_cheap = given.flag("keep-cheap", default=False)
    ignore_error = given.flag("ignore-error", default=True)
    given.end()
    return replace(
        ATTACHED,
        max_size=size(_TO, max_size) if max_size else 0,
        keep_cheap=keep_cheap,
        ignore_error=ignore_error,
    )


class _Attributes:
    """The attributes of one value. Each is taken by whoever knows it; what is left at the end is refused."""

    def __init__(self, option: str, text: str) -> None:
        self._option = option
        self._left = attributes(option, text)
        self.kind = self._left.pop("type", "registry")

    def take(self, name: str, default: str = "") -> str:
        return self._left.pop(name, "") or default

    def flag(self, name: str, *, default: bool) -> bool:
        text = self.take(name)
        if text and text not in _TRUE | _FALSE:
            raise self.wrong(f'{name} is true or false, not "{text}"')
        return text in _TRUE if text else default

    def reference(self, name: str) -> str:
        ref = self.take(name)
        if not ref:
            raise self.wrong(f"type={self.kind} needs {name}=…")
        reference(self._option, ref)
        return ref

    def tagged(self, name: str) -> str:
        ref = self.reference(name)
        if "@" in ref:
            raise self.wrong(f"a cache is written under a tag, not under a digest ({ref})")
        return ref

    def repository(self, name: str) -> str:
        ref = self.reference(name)
        if "@" in ref or ":" in ref.rpartition("/")[2]:
            raise self.wrong(f"a step cache is a repository, without tag and digest ({ref})")
        return ref

    def directory(self, name: str) -> str:
        path = self.take(name)
        if not path:
            raise self.wrong(f"type={self.kind} needs {name}=…")
        return str(Path(path).absolute())

    def end(self) -> None:
        """Everything must have been taken by now."""
        if self._left.get("registry.insecure") in _TRUE:
            raise self.wrong("not supported yet: registry.insecure (give --insecure-registry HOST)")
        self._left.pop("registry.insecure", None)
        left = sorted(f"{name}={value}" for name, value in self._left.items() if _HARMLESS.get(name) != value)
        if left:
            raise self.wrong(f"not supported yet: {', '.join(left)}")

    def foreign(self) -> click.BadParameter:
        known = "registry, local, attached, steps and inline"
        return self.wrong(f"not supported yet: type={self.kind} (there are {known})")

    def wrong(self, text: str) -> click.BadParameter:
        return click.BadParameter(text, param_hint=self._option)


def _steps(given: "_Attributes") -> CacheTarget:
    if given.take("mode", "max") != "max":
        raise given.wrong("a step cache holds the steps of all stages (mode=max)")
    ref, ignore_error = given.repository("ref"), given.flag("ignore-error", default=True)
    given.end()
    return CacheTarget(type="steps", ref=ref, mode="max", ignore_error=ignore_error)


def _digest(option: str, text: str) -> None:
    try:
        Digest.parse(text)
    except InvalidDigest as error:
        raise click.BadParameter(str(error), param_hint=option) from error
