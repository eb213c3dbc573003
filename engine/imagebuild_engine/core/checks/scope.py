"""What is known at a point of a stage: variables, ARGs, shell; how FROM passes it on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..dockerfile import Dockerfile, Location
from ..oci import ImageConfig

_DEFAULT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
"""Every image has this variable, one way or another. Which value it has changes no finding."""


@dataclass
class Scope:
    """A stage while its instructions are gone through, one after the other."""

    env: dict[str, str] = field(default_factory=_DEFAULT.copy)
    """What expansion sees: the image's variables and the ARGs with a value."""
    image_env: dict[str, str] = field(default_factory=_DEFAULT.copy)
    """What the image will have: ENV alone."""
    declared: set[str] = field(default_factory=set)
    """ARGs, with a value or without."""
    complete: bool = True
    """Are the base image's variables known? If not, nothing can be said about those that are missing here."""
    shell: bool = False
    """Has the base image or a SHELL chosen a shell?"""
    workdir: bool = False
    """Was there a WORKDIR in this Dockerfile?"""
    last: dict[str, Location] = field(default_factory=dict)
    """Where this stage's own CMD, ENTRYPOINT and HEALTHCHECK stand."""

    @classmethod
    def of_image(cls, config: ImageConfig | None) -> Scope:
        """The start of a stage FROM an image; None: nobody knows it."""
        scope = cls(complete=config is not None)
        if config is not None:
            for item in config.config.env:
                name, _, value = item.partition("=")
                scope.set_env(name, value)
            scope.shell = bool(config.config.shell)
        return scope

    def inherited(self) -> Scope:
        """The start of a stage FROM this one: ARGs come along, the image's variables win over them."""
        return Scope(
            env={**self.env, **self.image_env},
            image_env=dict(self.image_env),
            declared=set(self.declared),
            complete=self.complete,
            shell=self.shell,
            workdir=self.workdir,
        )

    def set_env(self, name: str, value: str) -> None:
        self.env[name] = self.image_env[name] = value


def declared_globally(dockerfile: Dockerfile) -> Iterable[str]:
    """Names of the ARGs before the first FROM, with a value or without."""
    return (pair.name for instruction in dockerfile.meta_args for pair in instruction.pairs)
