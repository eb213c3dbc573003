"""Rules about variables: those that nobody set, those that hold secrets, and the old way to set them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping

from ..dockerfile import (
    Add,
    Arg,
    Copy,
    Env,
    Instruction,
    Label,
    Run,
    StopSignal,
    User,
    Volume,
    Workdir,
    document_expansion,
    expand,
    expansion,
)
from . import rules
from .findings import Findings, shown
from .scope import Scope

_SECRET = re.compile(
    r"(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)",
    re.IGNORECASE | re.ASCII,
)
_NO_SECRET = re.compile(r"(?:_|^)(?:public|file|version)(?:_|$)", re.IGNORECASE | re.ASCII)
_NOT_FOR_STEPS = ("BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE")


def check_words(instruction: Instruction, scope: Scope, escape: str, findings: Findings) -> None:
    """Every word of the instruction in which variables are expanded, one finding for each name in each word."""
    for word in _expanded_words(instruction):
        _check_unset(expansion(word, scope.env, escape=escape).unset, instruction, scope, findings)
    if isinstance(instruction, Copy | Add):
        for document in instruction.contents:
            if document.expand:
                _check_unset(document_expansion(document.text, scope.env).unset, instruction, scope, findings)


def _check_unset(unset: frozenset[str], instruction: Instruction, scope: Scope, findings: Findings) -> None:
    if not scope.complete:
        return
    for name in sorted(unset):
        if name not in scope.declared and name not in _NOT_FOR_STEPS:
            detail = f"${shown(name)} is not defined here{findings.nearest(name, scope.env)}"
            findings.add(rules.UNDEFINED_VAR, instruction.location, detail, instruction.comments)


def _expanded_words(instruction: Instruction) -> Iterator[str]:
    """In BuildKit's order. ARG's and EXPOSE's words have ways of their own."""
    match instruction:
        case Env(pairs=pairs) | Label(pairs=pairs):
            for pair in pairs:
                yield from (pair.key, pair.value)
        case Copy() | Add():
            own = instruction.checksum if isinstance(instruction, Add) else None
            yield from filter(None, (instruction.chown, instruction.chmod, own))
            yield from (*instruction.sources, instruction.destination)
        case Workdir(path=word) | User(user=word) | StopSignal(signal=word):
            yield word
        case Volume(paths=paths):
            yield from paths
        case Run(mounts=mounts):
            for mount in mounts:
                yield from _values(mount.text)
        case _:
            pass


def _values(mount: str) -> Iterator[str]:
    """The values of `type=bind,source=$x`. What is no such list is refused elsewhere."""
    try:
        fields = next(csv.reader((mount,), strict=True), [])
    except csv.Error:
        return
    for text in fields:
        _, equals, value = text.partition("=")
        if equals:
            yield value


def do_arg(
    instruction: Arg,
    scope: Scope,
    findings: Findings,
    *,
    escape: str,
    given: Mapping[str, str],
    globals_: Mapping[str, str],
) -> None:
    """Declares what ARG declares. A default is looked at only where no build argument (`given`) replaces it."""
    for pair in instruction.pairs:
        _check_secret("ARG", pair.name, instruction, findings)
        value = given.get(pair.name)
        if value is None and pair.value is not None:
            found = expansion(pair.value, scope.env, escape=escape)
            _check_unset(found.unset, instruction, scope, findings)
            value = found.text
        if value is None:
            value = globals_.get(pair.name)
        if value is not None and pair.name not in _NOT_FOR_STEPS:
            scope.env[pair.name] = value
        scope.declared.add(pair.name)


def do_env(instruction: Env, scope: Scope, findings: Findings, *, escape: str) -> None:
    """Sets what ENV sets; all its words see the variables before it."""
    pairs = [
        (expand(pair.key, scope.env, escape=escape), expand(pair.value, scope.env, escape=escape), pair.legacy)
        for pair in instruction.pairs
    ]
    for name, value, legacy in pairs:
        if legacy:
            _say_legacy(instruction, findings)
        _check_secret("ENV", name, instruction, findings)
        scope.set_env(name, value)


def check_label(instruction: Label, findings: Findings) -> None:
    for pair in instruction.pairs:
        if pair.legacy:
            _say_legacy(instruction, findings)


def _say_legacy(instruction: Env | Label, findings: Findings) -> None:
    keyword = instruction.keyword
    detail = f'write "{keyword} name=value", not "{keyword} name value"'
    findings.add(rules.LEGACY_KEY_VALUE_FORMAT, instruction.location, detail, instruction.comments)


def _check_secret(kind: str, name: str, instruction: Env | Arg, findings: Findings) -> None:
    if _SECRET.search(name) and not _NO_SECRET.search(name):
        detail = f"{kind} {shown(name)} seems to hold a secret: mount secrets where they are used (RUN --mount)"
        findings.add(rules.SECRETS_USED_IN_ARG_OR_ENV, instruction.location, detail, instruction.comments)
