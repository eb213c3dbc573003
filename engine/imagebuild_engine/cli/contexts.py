"""`--build-context NAME=VALUE`: named contexts, as buildx has them."""

from pathlib import Path

import click

from ..contract import InvalidReference, Reference

MAIN = "context"
_REMOTE = ("docker-image://", "oci-layout://", "https://", "http://", "git://", "ssh://", "git@")


def named_contexts(values: tuple[str, ...]) -> dict[str, str]:
    """Short name → an absolute directory, or what else stands behind `=` as it is. A usage error for anything wrong."""
    found: dict[str, str] = {}
    for value in values:
        name, equals, target = value.partition("=")
        if not equals or not name or not target:
            raise click.BadParameter(f'"{value}" is not of the form NAME=VALUE', param_hint="--build-context")
        if name == MAIN:
            raise click.BadParameter(
                f'"{MAIN}" is the build context itself; take another name', param_hint="--build-context"
            )
        found[_short(name)] = target if target.startswith(_REMOTE) else _directory(name, target)
    return found


def _short(name: str) -> str:
    """`docker.io/library/alpine:latest` is `alpine`; `NAME::PLATFORM` keeps its platform."""
    image, separator, platform = name.partition("::")
    try:
        image = Reference.parse(image).familiar.removesuffix(":latest")
    except InvalidReference as error:
        raise click.BadParameter(f"{error}", param_hint="--build-context") from error
    return f"{image}{separator}{platform}"


def _directory(name: str, target: str) -> str:
    path = Path(target).resolve()
    if not path.is_dir():
        problem = f"{name}={target}: there is no such directory (for an image, docker-image://…)"
        raise click.BadParameter(problem, param_hint="--build-context")
    return str(path)
