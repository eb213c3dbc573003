"""In what one step differs from the same step of another time.

Several things may differ. What is told is the first of these: the base image · the ids of secrets · the text · build
arguments · other variables · what else the instruction says or depends on · modes of files, or files. A changed base
image may bring other variables, and a changed text other files: so the cause stands before what may follow from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..miss import MissReason
from .components import InputComponents, StepComponents
from .files import FileChange, file_changes

SHOWN = 5
"""How many names or paths a detail has; the rest is counted."""
_TEXT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Why the step is another one, for people: names, paths, digests and texts as written, never a value."""

    reason: MissReason
    detail: tuple[str, ...] = ()
    more: int = 0


def difference(old: StepComponents, new: StepComponents, same_step: Mapping[int, int]) -> Difference | None:
    """The first thing that differs, or None. `same_step` goes from the new steps' numbers to the old ones'."""
    return (
        _platform(old, new)
        or _base(old, new)
        or _secrets(old, new)
        or _text(old, new)
        or _variables(old, new)
        or _settings(old, new)
        or _sources(old, new, same_step)
        or _files(old, new)
    )


def _platform(old: StepComponents, new: StepComponents) -> Difference | None:
    pairs = [(old.platform, new.platform)]
    pairs += [(one.platform, other.platform) for one, other in _pairs(old, new) if one.kind == other.kind == "image"]
    for before, now in pairs:
        if before and now and before != now:
            return Difference(reason=MissReason.PLATFORM_MISMATCH, detail=(arrow(before, now),))
    return None


def _base(old: StepComponents, new: StepComponents) -> Difference | None:
    for before, now in _pairs(old, new):
        if "image" not in (before.kind, now.kind) or _same_source(before, now) or _same_files(before, now):
            continue
        if before.kind != now.kind and (now is not new.inputs[0] or _is_below(before, old) or _is_below(now, new)):
            continue  # another --from, which is the text's, or a step that was put in or left out
        return Difference(reason=MissReason.BASE_IMAGE_CHANGED, detail=(arrow(_named(before), _named(now)),))
    return None


def _secrets(old: StepComponents, new: StepComponents) -> Difference | None:
    """Only if nothing else of the text differs."""
    if old.secrets == new.secrets or old.work != new.work or _differing(old.settings, new.settings):
        return None
    if old.instruction == new.instruction and _variables(old, new):
        return None
    gone, come = [
        sorted(set(one) - set(other)) for one, other in ((old.secrets, new.secrets), (new.secrets, old.secrets))
    ]
    if len(gone) == len(come) == 1:
        return Difference(reason=MissReason.SECRET_ID_CHANGED, detail=(arrow(gone[0], come[0]),))
    names = [f"{name} (removed)" for name in gone] + [f"{name} (added)" for name in come]
    return listed(MissReason.SECRET_ID_CHANGED, names or ["their order"])


def _text(old: StepComponents, new: StepComponents) -> Difference | None:
    if old.instruction == new.instruction:
        return None
    same_sources = len(old.inputs) == len(new.inputs) and all(
        (one.kind, one.name) == (other.kind, other.name) for one, other in _pairs(old, new)
    )
    same = (old.work, old.settings, old.secrets) == (new.work, new.settings, new.secrets)
    if same and same_sources:
        return None  # written in another way, it says the same
    return Difference(reason=MissReason.INSTRUCTION_CHANGED, detail=(arrow(old.instruction, new.instruction),))


def _variables(old: StepComponents, new: StepComponents) -> Difference | None:
    """A name that is an ARG at one time and an ENV at the other counts as an ARG only if its value differs, too."""
    arguments = _differing(old.arguments, new.arguments)
    environment = _differing(old.environment, new.environment)
    values = [dict((*step.arguments, *step.environment)) for step in (old, new)]
    arguments = [name for name in arguments if values[0].get(name) != values[1].get(name)]
    environment = [name for name in environment if values[0].get(name) != values[1].get(name)]
    for reason, names in ((MissReason.BUILD_ARG_CHANGED, arguments), (MissReason.ENVIRONMENT_CHANGED, environment)):
        if names:
            return listed(reason, [_changed_name(name, values[0], values[1]) for name in names])
    if new.kind == "run" and old.environment != new.environment:
        return Difference(reason=MissReason.ENVIRONMENT_CHANGED, detail=("the order of the variables",))
    return None


def _changed_name(name: str, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    return f"{name} (added)" if name not in old else f"{name} (removed)" if name not in new else name


def _settings(old: StepComponents, new: StepComponents) -> Difference | None:
    """A directory or a user counts for a step that works with files only as far as its work says."""
    if new.kind == "files" and old.work == new.work:
        names = _differing(_without_place(old), _without_place(new))
    else:
        names = _differing(old.settings, new.settings)
    if old.work != new.work and not names:
        names = ["its text after what is shown of it"]
    if not names:
        return None
    return listed(MissReason.INSTRUCTION_CHANGED, [f"{_clip(new.instruction)}: {name}" for name in names])


def _without_place(step: StepComponents) -> tuple[tuple[str, str], ...]:
    return tuple(item for item in step.settings if item[0] not in ("USER", "WORKDIR"))


def _sources(old: StepComponents, new: StepComponents, same_step: Mapping[int, int]) -> Difference | None:
    """Other steps below it, or other things fetched, under the same words."""
    if len(old.inputs) != len(new.inputs):
        return _other_input(new, "what it reads")
    for before, now in _pairs(old, new):
        if _is_below(now, new) or (before.kind == now.kind == "step"):
            if same_step.get(now.step, before.step) != before.step and not _same_files(before, now):
                return _other_input(new, "it rests on another step")
        elif _is_below(before, old):
            return _other_input(new, "a step below it is gone")
        elif not _same_source(before, now) and not _same_files(before, now):
            if before.kind == now.kind and now.kind in ("file", "commit"):
                return Difference(reason=MissReason.FILES_CHANGED, detail=(arrow(_named(before), _named(now)),))
            return Difference(reason=MissReason.INSTRUCTION_CHANGED, detail=(arrow(_named(before), _named(now)),))
    return None


def _is_below(item: InputComponents, step: StepComponents) -> bool:
    """Is it the step before, in the same stage?"""
    return item.kind == "step" and item.name == step.stage


def _other_input(step: StepComponents, what: str) -> Difference:
    return Difference(reason=MissReason.INSTRUCTION_CHANGED, detail=(f"{_clip(step.instruction)}: {what}",))


def _files(old: StepComponents, new: StepComponents) -> Difference | None:
    changes: list[str] = []
    only_modes = True
    for before, now in _pairs(old, new):
        if before.files is None or now.files is None:
            continue
        for change in file_changes(before.files, now.files):
            only_modes = only_modes and change.how == "mode"
            changes.append(_told(change, relative=now.kind == "context"))
    reason = MissReason.FILE_MODE_CHANGED if only_modes else MissReason.FILES_CHANGED
    return listed(reason, changes) if changes else None


def _told(change: FileChange, *, relative: bool) -> str:
    path = change.path.lstrip("/") or "." if relative else change.path
    note = {"added": " (added)", "removed": " (removed)", "changed": "", "mode": f" ({change.note})"}[change.how]
    return _clip(path) + note


def _pairs(old: StepComponents, new: StepComponents) -> list[tuple[InputComponents, InputComponents]]:
    return list(zip(old.inputs, new.inputs, strict=False))


def _same_source(old: InputComponents, new: InputComponents) -> bool:
    if old.kind == new.kind == "step":
        return True
    if old.kind == "image" or old.digest:
        return (old.kind, old.digest) == (new.kind, new.digest)
    return (old.kind, old.name) == (new.kind, new.name)


def _same_files(old: InputComponents, new: InputComponents) -> bool:
    """Is all that was read of it known to be the same? Then it does not matter where it came from."""
    return old.files is not None and new.files is not None and not file_changes(old.files, new.files)


def _named(item: InputComponents) -> str:
    match item.kind:
        case "image":
            return f"{item.name}@{item.digest}"
        case "file":
            return f"{item.name} ({item.digest})"
        case "commit":
            return f"commit {item.digest}"
        case "step":
            return f"stage {item.name}"
    return f"context {item.name}"


def _differing(old: Sequence[tuple[str, str]], new: Sequence[tuple[str, str]]) -> list[str]:
    """The names whose values differ or that are only on one side, in the order of the new ones."""
    before, now = dict(old), dict(new)
    names = dict.fromkeys([*now, *before])
    return [name for name in names if before.get(name) != now.get(name)]


def listed(reason: MissReason, texts: Sequence[str]) -> Difference:
    """The first few, and how many more there are."""
    return Difference(reason=reason, detail=tuple(map(_clip, texts[:SHOWN])), more=max(0, len(texts) - SHOWN))


def arrow(old: str, new: str) -> str:
    return f"{_clip(old)} → {_clip(new)}"


def _clip(text: str) -> str:
    """On one line, without anything that a terminal would act upon. What is told may come from a hostile cache."""
    shown = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text[:_TEXT])
    return shown + ("…" if len(text) > _TEXT else "")
