"""Dockerfile text → typed instructions with locations, the way BuildKit's Dockerfile frontend reads it.

Joined lines, words and `${…}` end up in cache keys, so where this package follows a habit of BuildKit that looks odd,
it does so on purpose and says so. Words stay unexpanded here: the frontend expands them in its scopes, by `expand`.

    parse_dockerfile(data) -> Dockerfile          the file; its only exception is DockerfileError
    parse_instruction(text, origin=…)             one ONBUILD trigger of a base image
    expand, expand_words, expansion               quotes and variables of one word
    expand_document, content_text                 a heredoc's body
    expand_mount, parse_mode, parse_git_reference the values of `--mount`, `--chmod`, and sources of ADD
    IgnorePatterns.parse(text).matcher            .dockerignore
"""

from __future__ import annotations

from ..patterns import IgnoreMatcher, ParentMatch
from .arguments import global_args
from .directives import Directive
from .document import Dockerfile, Stage
from .durations import parse_duration
from .errors import DockerfileError, ExpansionError, suggest
from .expand import document_expansion, expand, expand_document, expand_words, expansion
from .gitref import GitReference, parse_git_reference
from .heredoc import chomped, content_text, sole_heredoc
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
from .lexer import Expansion
from .limits import DEFAULT_LIMITS, Limits
from .modes import Mode, parse_mode
from .mounts import expand_mount
from .parse import parse_dockerfile, parse_instruction
from .ports import PortSpec
from .source import Location, Source
from .transfer import remote_kind

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
    "GitReference",
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
    "Mode",
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
    "chomped",
    "content_text",
    "document_expansion",
    "expand",
    "expand_document",
    "expand_mount",
    "expand_words",
    "expansion",
    "global_args",
    "parse_dockerfile",
    "parse_duration",
    "parse_git_reference",
    "parse_instruction",
    "parse_mode",
    "remote_kind",
    "sole_heredoc",
    "suggest",
]
