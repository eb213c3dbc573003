"""A Dockerfile → a graph and an image config (BuildKit's dockerfile2llb).

Only the stages that the target rests on are lowered, each once, in the order of the file; so a stage always finds the
stages that it uses. Images come pinned: where one is missing, all that are missing are named, and the caller comes
again.
"""

from dataclasses import replace

from ..dockerfile import (
    Add,
    Arg,
    Cmd,
    Copy,
    Dockerfile,
    DockerfileError,
    Entrypoint,
    Env,
    ExpansionError,
    Expose,
    From,
    Healthcheck,
    Instruction,
    Label,
    Location,
    Maintainer,
    OnBuild,
    Run,
    Shell,
    Stage,
    StopSignal,
    User,
    Volume,
    Workdir,
    expand,
    parse_instruction,
    suggest,
)
from ..graph import Edge, ImageSource, LocalSource, Op, Vertex
from ..oci import InvalidPlatform, InvalidReference, Platform, Reference
from . import files, metadata
from .options import BuildOptions, ImageRequest, Lowered, NeedsPins, PinnedImage, Pins
from .run import run
from .scope import DEFAULT_PATH, global_args
from .scope import Env as Environment
from .stage import StageState

SCRATCH_NAME = "scratch"
CONTEXT = "context"


def lower(dockerfile: Dockerfile, options: BuildOptions, pins: Pins) -> Lowered | NeedsPins:
    """The graph of the target stage, or what must be known for it first. Raises DockerfileError."""
    return _Lowering(dockerfile, options, pins).run()


class _Lowering:
    def __init__(self, dockerfile: Dockerfile, options: BuildOptions, pins: Pins) -> None:
        self.dockerfile = dockerfile
        self.options = options
        self.pins = pins
        self.globals = self._globals()
        self.missing: dict[ImageRequest, None] = {}
        self.states: dict[int, StageState] = {}
        self.sources: dict[Reference, Edge] = {}
        self.known: dict[tuple[Op, tuple[Edge, ...]], Vertex] = {}
        self.context = Edge(Vertex(op=LocalSource(name=CONTEXT), description="[internal] load build context"))

    def _globals(self) -> Environment:
        try:
            return global_args(self.dockerfile, self.options)
        except ExpansionError as error:
            location = self.dockerfile.meta_args[0].location
            raise error.at(location, self.dockerfile.source) from error

    def run(self) -> Lowered | NeedsPins:
        target = self._target()
        for index in sorted(self._reachable(target)):
            if not self.missing:
                self.states[index] = self._stage(self.dockerfile.stages[index])
        if self.missing:
            return NeedsPins(images=tuple(self.missing))
        state = self.states[target.index]
        config = replace(state.config, labels={**state.config.labels, **self.options.labels})
        steps = tuple(dict.fromkeys(vertex for index in sorted(self.states) for vertex in self.states[index].steps))
        return Lowered(
            target=state.edge,
            config=config,
            platform=self.options.platform,
            history=tuple(state.history),
            steps=steps,
            stages=tuple(sorted(self.states)),
            author=state.author,
            base_layers=state.base_layers,
        )

    def _target(self) -> Stage:
        if not self.options.target:
            return self.dockerfile.stages[-1]
        found = self.dockerfile.stage(self.options.target)
        if found is None:
            names = [stage.name for stage in self.dockerfile.stages if stage.name]
            hint = suggest(self.options.target, names)
            raise DockerfileError(
                f'there is no stage "{self.options.target}" to build', None, self.dockerfile.source, hint
            )
        return found

    # Which stages and images the target rests on.

    def _reachable(self, target: Stage) -> set[int]:
        found: set[int] = set()
        pending = [*range(len(self.dockerfile.stages))] if self.options.all_stages else [target.index]
        while pending:
            index = pending.pop()
            if index in found:
                continue
            found.add(index)
            stage = self.dockerfile.stages[index]
            base = self._base_stage(stage)
            if base is not None:
                pending.append(base.index)
            else:
                self._need_base(stage)
            for instruction in self._instructions(stage):
                if isinstance(instruction, Copy) and instruction.from_ is not None:
                    source = self._from(instruction.from_, stage, instruction.location)
                    if isinstance(source, Stage):
                        pending.append(source.index)
                    elif source is not None:
                        self._need(source)
        return found

    def _base_name(self, stage: Stage) -> str:
        name = self._expand(stage.base, stage.from_instruction)
        if not name:
            raise self._error(
                f"FROM {stage.base}: the name of the base image is empty: an ARG in it has no value",
                stage.from_instruction.location,
                "declare the ARG before the first FROM, or give it with --build-arg",
            )
        return name

    def _base_stage(self, stage: Stage) -> Stage | None:
        name = self._base_name(stage).lower()
        earlier = self.dockerfile.stages[: stage.index]
        return next((known for known in reversed(earlier) if known.name == name), None)

    def _need_base(self, stage: Stage) -> None:
        name = self._base_name(stage)
        if name != SCRATCH_NAME:
            self._need(self._reference(name, stage.from_instruction.location, stage))

    def _need(self, reference: Reference) -> None:
        if self._image(reference) is None:
            self.missing[ImageRequest(reference, self.options.platform)] = None

    def _image(self, reference: Reference) -> PinnedImage | None:
        return self.pins.images.get(ImageRequest(reference, self.options.platform))

    def _pinned(self, reference: Reference) -> PinnedImage:
        return self.pins.images[ImageRequest(reference, self.options.platform)]

    def _from(self, text: str, stage: Stage, location: Location) -> Stage | Reference | None:
        """What `--from` names: an earlier stage by name or number, else an image; None is `scratch`."""
        found = self.dockerfile.stage(text, before=stage.index)
        if found is not None:
            return found
        later = self.dockerfile.stage(text)
        if later is not None:
            which = "itself" if later.index == stage.index else "a later stage"
            raise self._error(f"COPY --from={text}: a stage cannot copy from {which}", location)
        if text.isascii() and text.isdecimal():
            raise self._error(f"COPY --from={text}: there is no stage of that number before this one", location)
        return None if text == SCRATCH_NAME else self._reference(text, location, stage)

    def _reference(self, text: str, location: Location, stage: Stage) -> Reference:
        try:
            return Reference.parse(text)
        except InvalidReference as error:
            names = [known.name for known in self.dockerfile.stages[: stage.index] if known.name]
            raise self._error(f"{error}", location, suggest(text, names)) from error

    def _instructions(self, stage: Stage) -> tuple[Instruction, ...]:
        """What the stage does: first the triggers of its base, stage or image, if that is known by now."""
        base, name = self._base_stage(stage), self._base_name(stage)
        if base is not None:
            own = tuple(item.trigger for item in base.instructions if isinstance(item, OnBuild))
            return (*self._triggers(own, name, stage), *stage.instructions)
        if name == SCRATCH_NAME:
            return stage.instructions
        image = self._image(self._reference(name, stage.from_instruction.location, stage))
        triggers = image.config.config.on_build if image else ()
        return (*self._triggers(triggers, name, stage), *stage.instructions)

    @staticmethod
    def _triggers(texts: tuple[str, ...], name: str, stage: Stage) -> tuple[Instruction, ...]:
        """The triggers as instructions that stand where FROM stands."""
        place = stage.from_instruction.location
        return tuple(replace(parse_instruction(text, origin=f"ONBUILD of {name}"), location=place) for text in texts)

    # One stage after the other.

    def _stage(self, stage: Stage) -> StageState:
        self._check_platform(stage)
        base = self._base_stage(stage)
        if base is not None:
            state = self.states[base.index].inherited(stage)
        elif self._base_name(stage) == SCRATCH_NAME:
            state = StageState.scratch(self.dockerfile, stage)
        else:
            state = self._from_image(stage)
        state.no_cache = self.options.no_cache
        state.known = self.known
        instructions = self._instructions(stage)
        state.total = sum(self._is_step(instruction) for instruction in instructions)
        for instruction in instructions:
            self._dispatch(state, instruction)
        return state

    @staticmethod
    def _is_step(instruction: Instruction) -> bool:
        return isinstance(instruction, Run | Copy | Add | Workdir)

    def _from_image(self, stage: Stage) -> StageState:
        reference = self._reference(self._base_name(stage), stage.from_instruction.location, stage)
        image = self._pinned(reference)
        env = Environment.of(image.config.config.env)
        if "PATH" not in env:
            env.set("PATH", DEFAULT_PATH)
        config = replace(image.config.config, env=env.items_list(), on_build=())
        config = replace(config, working_dir=config.working_dir or "/")
        # An image without layers is an empty tree to BuildKit, too.
        edge = self._image_edge(reference) if image.layers else None
        history = list(image.config.history)
        return StageState(
            self.dockerfile,
            stage,
            edge,
            env,
            config,
            history,
            author=image.config.author,
            base_layers=len(image.layers),
        )

    def _image_edge(self, reference: Reference) -> Edge:
        if reference not in self.sources:
            image = self._pinned(reference)
            op = ImageSource(
                reference=image.reference,
                digest=image.digest,
                platform=image.platform,
                diff_ids=image.config.diff_ids,
            )
            self.sources[reference] = Edge(Vertex(op=op, description=f"FROM {image.reference}"))
        return self.sources[reference]

    def _dispatch(self, state: StageState, instruction: Instruction) -> None:
        match instruction:
            case Run():
                run(state, instruction, self.options)
            case Copy() | Add():
                files.copy(state, instruction, self._copy_source(state, instruction))
            case Workdir():
                files.workdir(state, instruction, self.options)
            case Arg():
                metadata.arg(state, instruction, self.options, self.globals)
            case Env():
                metadata.env(state, instruction)
            case Label():
                metadata.label(state, instruction)
            case User():
                metadata.user(state, instruction)
            case Cmd():
                metadata.cmd(state, instruction)
            case Entrypoint():
                metadata.entrypoint(state, instruction)
            case Expose():
                metadata.expose(state, instruction)
            case Volume():
                metadata.volume(state, instruction)
            case StopSignal():
                metadata.stop_signal(state, instruction)
            case Shell():
                metadata.shell(state, instruction)
            case Healthcheck():
                metadata.healthcheck(state, instruction)
            case Maintainer():
                metadata.maintainer(state, instruction)
            case OnBuild():
                metadata.on_build(state, instruction)
            case From():
                raise state.error("FROM is no instruction of a stage", instruction.location)

    def _copy_source(self, state: StageState, instruction: Copy | Add) -> Edge | None:
        if isinstance(instruction, Add) or instruction.from_ is None:
            return self.context
        match self._from(instruction.from_, state.stage, instruction.location):
            case Stage(index=index):
                return self.states[index].edge
            case Reference() as reference:
                return self._image_edge(reference) if self._pinned(reference).layers else None
            case None:
                return None

    def _check_platform(self, stage: Stage) -> None:
        if stage.platform is None:
            return
        location = stage.from_instruction.location
        text = self._expand(stage.platform, stage.from_instruction)
        try:
            wanted = Platform.parse(text)
        except InvalidPlatform as error:
            raise self._error(f"FROM --platform: {error}", location) from error
        if wanted != self.options.platform:
            raise self._error(f"not supported yet: FROM --platform={wanted} on {self.options.platform}", location)

    def _expand(self, word: str, instruction: From) -> str:
        try:
            return expand(word, self.globals, escape=self.dockerfile.escape)
        except ExpansionError as error:
            raise error.at(instruction.location, self.dockerfile.source) from error

    def _error(self, message: str, location: Location, hint: str = "") -> DockerfileError:
        return DockerfileError(message, location, self.dockerfile.source, hint)
