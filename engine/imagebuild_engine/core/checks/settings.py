"""Rules about instructions that set what a container starts with: commands, ports, the working directory."""

from __future__ import annotations

from ..dockerfile import Cmd, Entrypoint, Expose, Healthcheck, PortSpec, ShellForm, Workdir, expand, expand_words
from . import rules
from .findings import Findings, shown
from .scope import Scope


def check_once(instruction: Cmd | Entrypoint | Healthcheck, scope: Scope, findings: Findings) -> None:
    """The finding is at the earlier one: that is what does not count."""
    kind = type(instruction).__name__
    if kind in scope.last:
        detail = f"this stage has a later {instruction.keyword}: only the last one counts"
        findings.add(rules.MULTIPLE_INSTRUCTIONS_DISALLOWED, scope.last[kind], detail, instruction.comments)
    scope.last[kind] = instruction.location


def check_command(instruction: Cmd | Entrypoint, scope: Scope, findings: Findings) -> None:
    """A shell that somebody chose is meant to be there."""
    if isinstance(instruction.command, ShellForm) and not scope.shell:
        detail = f'a shell runs this {instruction.keyword} and keeps signals from it: write ["program", "argument"]'
        findings.add(rules.JSON_ARGS_RECOMMENDED, instruction.location, detail, instruction.comments)


def check_ports(instruction: Expose, scope: Scope, findings: Findings, *, escape: str) -> None:
    """Raises DockerfileError for what is no port."""
    for word in instruction.ports:
        for text in expand_words(word, scope.env, escape=escape):
            port = PortSpec.parse(text)
            if port.protocol != port.protocol.lower():
                detail = f"the protocol of {shown(text)} is not in lower case"
                findings.add(rules.EXPOSE_PROTO_CASING, instruction.location, detail, instruction.comments)
            if port.maps_host:
                detail = f"{shown(text)} names an address or port of a host, which an image cannot choose"
                findings.add(rules.EXPOSE_INVALID_FORMAT, instruction.location, detail, instruction.comments)


def check_workdir(instruction: Workdir, scope: Scope, findings: Findings, *, escape: str) -> None:
    """Only the first WORKDIR of a line of stages: with that one absolute, all others are known."""
    path = expand(instruction.path, scope.env, escape=escape)
    if not scope.workdir and not path.startswith("/"):
        detail = f"'{shown(path)}' is relative to whatever directory the base image has"
        findings.add(rules.WORKDIR_RELATIVE_PATH, instruction.location, detail, instruction.comments)
    scope.workdir = True
