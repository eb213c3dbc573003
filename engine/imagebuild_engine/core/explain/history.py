"""What an image without components tells of its steps: the texts in its history, and the variables in its config.

Texts of a history are expanded, and those of RUN begin with the values of build arguments (`|2 A=1 B=2 /bin/sh -c …`).
So of the old text no more is told than the command, behind the last thing that looks like the shell.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from ..miss import MissReason
from .components import StepComponents
from .differences import Difference, arrow, listed

_SHELL = "/bin/sh -c "
_LATER_COMMENT = " # buildkit"
_ALIKE = 0.5
_COMPARED = 300
_TEXTS = 300
"""Another image may claim a history of any length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """An image's: the texts of the steps that made its layers, and its variables."""

    texts: tuple[str, ...] = field(default=(), repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)


def from_history(
    history: History, command: str, values: Mapping[str, str], step: StepComponents, *, others: Collection[str] = ()
) -> Difference | None:
    """Why a RUN with this command and these variables has another key than any in the image; None if it is not there.

    `others` are the commands of the build's other steps: what these have come from, this one has not. Of steps that are
    no RUN nothing is told: their texts would have to be compared with what is expanded.
    """
    if not command:
        return None
    texts = [text.removesuffix(_LATER_COMMENT) for text in history.texts[-_TEXTS:] if text.startswith("RUN ")]
    same = next((text for text in texts if text.endswith(command)), None)
    if same is not None:
        return _other_variables(history, same.removesuffix(command), values, step)
    shown = command.removeprefix(_SHELL)[:_COMPARED]
    old = [_shown(text) for text in texts if not any(other and text.endswith(other) for other in others)]
    alike = [(SequenceMatcher(None, text, shown, autojunk=False).ratio(), text) for text in old if text]
    similarity, text = max(alike, default=(0.0, ""))
    if similarity < _ALIKE:
        return None
    return Difference(reason=MissReason.INSTRUCTION_CHANGED, detail=(arrow(f"RUN {text}", step.instruction),))


def _shown(text: str) -> str:
    """The command of a RUN, without what stands before the shell; nothing where that is not sure."""
    if not text.startswith("RUN |") and not text.startswith(f"RUN {_SHELL}"):
        return ""
    return text.rpartition(_SHELL)[2][:_COMPARED]


def _other_variables(
    history: History, before: str, values: Mapping[str, str], step: StepComponents
) -> Difference | None:
    arguments = [name for name, _ in step.arguments if f" {name}={values.get(name, '')} " not in f"{before} "]
    if arguments:
        return listed(MissReason.BUILD_ARG_CHANGED, arguments)
    names = [
        name
        for name, _ in step.environment
        if name in history.variables and history.variables[name] != values.get(name)
    ]
    names += [f"{name} (added)" for name, _ in step.environment if name not in history.variables]
    if names:
        return listed(MissReason.ENVIRONMENT_CHANGED, names)
    return None
