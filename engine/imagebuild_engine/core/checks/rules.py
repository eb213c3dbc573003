"""The table of rules. The names are BuildKit's, since people write them into `# check=skip=…`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_DOCUMENTATION = "https://docs.docker.com/go/dockerfile/rule/"
_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of finding. An experimental rule is off until somebody asks for it."""

    name: str
    description: str
    experimental: bool = False
    documented: bool = True

    @property
    def url(self) -> str:
        """Docker's page about the rule, empty if there is none."""
        return f"{_DOCUMENTATION}{_WORD_START.sub('-', self.name).lower()}/" if self.documented else ""


STAGE_NAME_CASING: Final = Rule("StageNameCasing", "names of stages are in lower case")
FROM_AS_CASING: Final = Rule("FromAsCasing", "AS is written in the same case as its FROM")
NO_EMPTY_CONTINUATION: Final = Rule(
    "NoEmptyContinuation", "empty lines among continuation lines will be errors in a future version of the language"
)
CONSISTENT_INSTRUCTION_CASING: Final = Rule(
    "ConsistentInstructionCasing", "all instructions of a file are in upper case, or all in lower case"
)
DUPLICATE_STAGE_NAME: Final = Rule("DuplicateStageName", "every stage has a name of its own")
RESERVED_STAGE_NAME: Final = Rule("ReservedStageName", "no stage is called by a word that means something else")
JSON_ARGS_RECOMMENDED: Final = Rule(
    "JSONArgsRecommended", "CMD and ENTRYPOINT are JSON arrays, because a shell does not pass signals on"
)
MAINTAINER_DEPRECATED: Final = Rule("MaintainerDeprecated", "a label names the author, MAINTAINER is deprecated")
UNDEFINED_ARG_IN_FROM: Final = Rule("UndefinedArgInFrom", "FROM uses ARGs that are declared before the first FROM")
WORKDIR_RELATIVE_PATH: Final = Rule(
    "WorkdirRelativePath", "the first WORKDIR is absolute, else it depends on what the base image happens to have"
)
UNDEFINED_VAR: Final = Rule("UndefinedVar", "variables are set before they are used")
MULTIPLE_INSTRUCTIONS_DISALLOWED: Final = Rule(
    "MultipleInstructionsDisallowed", "a stage has at most one CMD, ENTRYPOINT and HEALTHCHECK: only the last counts"
)
LEGACY_KEY_VALUE_FORMAT: Final = Rule("LegacyKeyValueFormat", "ENV and LABEL are written with =, not with a blank")
INVALID_BASE_IMAGE_PLATFORM: Final = Rule(
    "InvalidBaseImagePlatform", "the base image is for the platform that is built for", documented=False
)
REDUNDANT_TARGET_PLATFORM: Final = Rule(
    "RedundantTargetPlatform", "FROM needs no --platform=$TARGETPLATFORM: that is the default"
)
SECRETS_USED_IN_ARG_OR_ENV: Final = Rule(
    "SecretsUsedInArgOrEnv", "no secret is in ARG or ENV, because both stay readable in the image"
)
INVALID_DEFAULT_ARG_IN_FROM: Final = Rule(
    "InvalidDefaultArgInFrom", "FROM names a valid image also if nobody gives build arguments"
)
FROM_PLATFORM_FLAG_CONST_DISALLOWED: Final = Rule(
    "FromPlatformFlagConstDisallowed", "the platform of FROM is no constant, else only one platform can be built"
)
COPY_IGNORED_FILE: Final = Rule("CopyIgnoredFile", "COPY and ADD name no file that .dockerignore excludes")
INVALID_DEFINITION_DESCRIPTION: Final = Rule(
    "InvalidDefinitionDescription",
    "a comment right above a named stage or an ARG describes it and begins with its name",
    experimental=True,
)
EXPOSE_PROTO_CASING: Final = Rule("ExposeProtoCasing", "protocols of EXPOSE are in lower case")
EXPOSE_INVALID_FORMAT: Final = Rule(
    "ExposeInvalidFormat", "EXPOSE names no address or port of a host; that will be an error in a future version"
)

RULES: Final = {rule.name: rule for rule in list(globals().values()) if isinstance(rule, Rule)}
"""By name, in BuildKit's order."""
