"""Dockerfile text → typed instructions with locations, the way BuildKit's Dockerfile frontend reads it.

Joined lines, words and `${…}` end up in cache keys, so where this package follows a habit of BuildKit that looks odd,
it does so on purpose and says so. Words stay unexpanded here: the frontend expands them in its scopes, by `expand`.

    parse_dockerfile(data) -> Dockerfile          the file; its only exception is DockerfileError
    parse_instruction(text, origin=…)             one ONBUILD trigger of a base image
    expand, expand_words, expansion               quotes and variables of one word
    IgnorePatterns.parse(text).matcher            .dockerignore
"""

from __future__ import annotations

from ..patterns import IgnoreMatcher, ParentMatch
from .directives import Directive
from .document import Dockerfile, Stage
from .errors import DockerfileError, ExpansionError, suggest
from .expand import Expansion, expand, expand_words, expansion, expansion_of_body
from .ignore import IgnorePatterns
from .instructions import (
    Add,
    Arg,
    ArgPair,
    Cmd,
    Command,
    Copy,
    Entrypoint,
    Env,
    ExecForm,
    Expose,
    From,
    Healthcheck,
    HereDocument,
    Instruction,
    KeyValue,
    Label,
    Maintainer,
    MountText,
    OnBuild,
    Run,
    RunMount,
    Shell,
    ShellForm,
    StopSignal,
    Transfer,
    User,
    Volume,
    Workdir,
)
from .limits import DEFAULT_LIMITS, Limits
from .parse import parse_dockerfile, parse_instruction
from .ports import PortSpec
from .source import Location, Source
from .transfer import octal_mode, remote_kind

__all__ = [
    "DEFAULT_LIMITS",
    "Add",
    "Arg",
    "ArgPair",
    "Cmd",
    "Command",
    "Copy",
    "Directive",
    "Dockerfile",
    "DockerfileError",
    "Entrypoint",
    "Env",
    "ExecForm",
    "Expansion",
    "ExpansionError",
    "Expose",
    "From",
    "Healthcheck",
    "HereDocument",
    "IgnoreMatcher",
    "IgnorePatterns",
    "Instruction",
    "KeyValue",
    "Label",
    "Limits",
    "Location",
    "Maintainer",
    "MountText",
    "OnBuild",
    "ParentMatch",
    "PortSpec",
    "Run",
    "RunMount",
    "Shell",
    "ShellForm",
    "Source",
    "Stage",
    "StopSignal",
    "Transfer",
    "User",
    "Volume",
    "Workdir",
    "expand",
    "expand_words",
    "expansion",
    "expansion_of_body",
    "octal_mode",
    "parse_dockerfile",
    "parse_instruction",
    "remote_kind",
    "suggest",
]
