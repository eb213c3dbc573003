"""All checks of one Dockerfile, in the order in which BuildKit makes them.

What is seen in the text alone concerns the whole file: casing, names, descriptions, FROMs. Instructions are gone
through only in the stages that matter: those that the target rests on in a build, all of them if only checks were asked
for. What would be an error ends the checks, as in BuildKit: whoever builds the file says it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ..dockerfile import (
    Add,
    Arg,
    Cmd,
    Copy,
    Dockerfile,
    DockerfileError,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    IgnoreMatcher,
    Instruction,
    Label,
    Location,
    OnBuild,
    Run,
    Shell,
    Stage,
    Workdir,
    global_args,
    parse_instruction,
)
from ..oci import ImageConfig, InvalidReference, Platform, Reference
from . import base_images, ignored_files, naming, settings, variables
from .findings import Findings
from .options import Options
from .report import Report
from .scope import Scope, declared_globally

_SCRATCH = "scratch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the checks must know besides the file."""

    platform: Platform
    """What is built for."""
    build_platform: Platform
    """The machine's own."""
    predefined: Mapping[str, str]
    """The ARGs that exist without a declaration: TARGETPLATFORM and its like."""
    build_args: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[tuple[Reference, Platform], ImageConfig] = field(default_factory=dict)
    """Base images, by name and by the platform they were asked for. About one that is missing less can be said."""
    ignored: IgnoreMatcher | None = None
    """.dockerignore, if there is one."""
    stages: Collection[int] | None = None
    """Which stages are gone through; None: all."""


def check(dockerfile: Dockerfile, facts: Facts) -> Report:
    """What there is to find. Raises DockerfileError for a `# check=` line or build argument that is wrong."""
    findings = Findings(Options.of(dockerfile, facts.build_args))
    naming.check_gaps(dockerfile, findings)
    naming.check_writing(dockerfile, findings)
    naming.check_stage_names(dockerfile, findings)
    naming.check_instruction_casing(dockerfile, findings)
    base_images.check_defaults(dockerfile, facts.predefined, findings)
    with suppress(DockerfileError):  # an error of the file, and not ours to tell
        _Stages(dockerfile, facts, findings).check()
    return findings.report()


@dataclass(frozen=True, slots=True)
class _Base:
    """What a stage is built on: an earlier stage's index, or an image's name; and for which platform."""

    name: str
    stage: int | None
    platform: Platform


class _Stages:
    """The part that needs variables."""

    def __init__(self, dockerfile: Dockerfile, facts: Facts, findings: Findings) -> None:
        self.dockerfile = dockerfile
        self.facts = facts
        self.findings = findings
        self.escape = dockerfile.escape
        self.globals = global_args(dockerfile, facts.predefined, facts.build_args)
        self.bases: list[_Base] = []
        self.scopes: dict[int, Scope] = {}

    def check(self) -> None:
        if not self._read_bases():
            return
        stages = [stage for stage in self.dockerfile.stages if self._matters(stage)]
        for stage in stages:
            self._check_images(stage)
        for stage in stages:
            self.scopes[stage.index] = self._start(stage)
            for instruction in (*self._triggers(stage), *stage.instructions):
                self._check(instruction, self.scopes[stage.index])

    def _matters(self, stage: Stage) -> bool:
        return self.facts.stages is None or stage.index in self.facts.stages

    def _read_bases(self) -> bool:
        """Whether all FROMs make sense."""
        declared = self.globals.keys() | set(declared_globally(self.dockerfile))
        known: dict[str, int] = {}
        for stage in self.dockerfile.stages:
            found = base_images.check_from(
                stage.from_instruction,
                self.globals,
                declared,
                self.facts.build_platform,
                escape=self.escape,
                findings=self.findings,
            )
            if found is None:
                return False
            name, platform = found
            self.bases.append(_Base(name, known.get(name), platform or self.facts.platform))
            if stage.name is not None:
                known[stage.name] = stage.index
        return True

    def _image(self, name: str, platform: Platform) -> ImageConfig | None:
        try:
            return self.facts.images.get((Reference.parse(name), platform))
        except InvalidReference:
            return None

    def _check_images(self, stage: Stage) -> None:
        """The images that the stage is built on, copies from or mounts."""
        base = self.bases[stage.index]
        wanted: list[tuple[str, Platform, Location | None]] = []
        if base.stage is None:
            wanted.append((base.name, base.platform, stage.from_instruction.location))
        for instruction in stage.instructions:
            match instruction:
                case Copy(from_=str(name)):
                    wanted += self._named(name, instruction)
                case Run(mounts=mounts):
                    for mount in mounts:
                        wanted += self._named(mount.from_, instruction) if mount.from_ else ()
                case _:
                    pass
        for name, platform, location in wanted:
            if (image := self._image(name, platform)) is not None:
                base_images.check_image_platform(name, platform, image, location, self.findings)

    def _named(self, name: str, instruction: Instruction) -> Iterator[tuple[str, Platform, Location | None]]:
        """The image that `--from` or a mount's `from` names, unless that is a stage."""
        if self.dockerfile.stage(name) is None:
            yield name, self.facts.platform, instruction.location if isinstance(instruction, Copy) else None

    def _start(self, stage: Stage) -> Scope:
        base = self.bases[stage.index]
        if base.stage is not None:
            below = self.scopes.get(base.stage)
            return below.inherited() if below is not None else Scope.of_image(None)
        if base.name == _SCRATCH:
            return Scope()
        return Scope.of_image(self._image(base.name, base.platform))

    def _triggers(self, stage: Stage) -> tuple[Instruction, ...]:
        """What the base's ONBUILD adds; it stands where FROM stands. Raises DockerfileError."""
        base = self.bases[stage.index]
        if base.stage is not None:
            below = self.dockerfile.stages[base.stage].instructions
            texts = tuple(item.trigger for item in below if isinstance(item, OnBuild))
        else:
            image = self._image(base.name, base.platform)
            texts = image.config.on_build if image is not None else ()
        place = stage.from_instruction.location
        read = (parse_instruction(text, origin=f"ONBUILD of {base.name}") for text in texts)
        return tuple(replace(instruction, location=place, comments=()) for instruction in read)

    def _check(self, instruction: Instruction, scope: Scope) -> None:
        findings, escape = self.findings, self.escape
        variables.check_words(instruction, scope, escape, findings)
        match instruction:
            case Arg():
                given, globals_ = self.facts.build_args, self.globals
                variables.do_arg(instruction, scope, findings, escape=escape, given=given, globals_=globals_)
            case Env():
                variables.do_env(instruction, scope, findings, escape=escape)
            case Label():
                variables.check_label(instruction, findings)
            case Shell():
                scope.shell = True
            case Cmd() | Entrypoint():
                settings.check_once(instruction, scope, findings)
                settings.check_command(instruction, scope, findings)
            case Healthcheck():
                settings.check_once(instruction, scope, findings)
            case Expose():
                settings.check_ports(instruction, scope, findings, escape=escape)
            case Workdir():
                settings.check_workdir(instruction, scope, findings, escape=escape)
            case Copy() | Add():
                ignored_files.check_sources(instruction, scope, self.facts.ignored, findings, escape=escape)
            case _:
                pass
