"""The ARGs before the first FROM: what FROM may name, and what a stage's ARG without a value falls back to."""

from __future__ import annotations

from collections.abc import Mapping

from .document import Dockerfile
from .errors import ExpansionError
from .expand import expand


def global_args(dockerfile: Dockerfile, predefined: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Those that have a value, each seeing those before it, after the predefined ones; `given` build arguments win.

    Raises DockerfileError, at the ARG.
    """
    env = dict(predefined)
    for instruction in dockerfile.meta_args:
        for pair in instruction.pairs:
            if pair.name in given:
                env[pair.name] = given[pair.name]
            elif pair.value is not None:
                try:
                    env[pair.name] = expand(pair.value, env, escape=dockerfile.escape)
                except ExpansionError as error:
                    raise error.at(instruction.location, dockerfile.source) from error
    return env
