"""A Dockerfile → a graph and an image config (BuildKit's dockerfile2llb).

Only the stages that the target rests on are lowered, each once, in the order of the file; so a stage always finds the
stages that it uses. What lies outside comes pinned: where something is missing, all that is missing is named, and the
caller comes again.
"""

from collections.abc import Iterator, Mapping
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
    global_args,
    parse_instruction,
    suggest,
)
from ..graph import Edge, Op, Vertex
from . import metadata
from .options import BuildOptions, ImageRequest, Lowered, NeedsPins, Pins
from .run import run
from .scope import DEFAULT_PATH, predefined_args
from .scope import Env as Environment
from .sources import Named, Sources
from .stage import StageState
from .transfer import transfer
from .workdir import workdir


def lower(dockerfile: Dockerfile, options: BuildOptions, pins: Pins) -> Lowered | NeedsPins:
    """The graph of the target stage, or what must be known for it first. Raises DockerfileError."""
    return _Lowering(dockerfile, options, pins).run()


class _Lowering:
    def __init__(self, dockerfile: Dockerfile, options: BuildOptions, pins: Pins) -> None:
        self.dockerfile = dockerfile
        self.globals = global_args(dockerfile, predefined_args(options, dockerfile), options.build_args)
        self.options = _with_epoch(options, self.globals)
        self.sources = Sources(dockerfile, self.options, pins, self.globals)
        self.states: dict[int, StageState] = {}
        self.known: dict[tuple[Op, tuple[Edge, ...]], Vertex] = {}

    def run(self) -> Lowered | NeedsPins:
        target = self._target()
        reachable = sorted(self._reachable(target))
        if self.sources.missing:
            return self.sources.missing
        for index in reachable:
            self.states[index] = self._stage(self.dockerfile.stages[index])
        if self.sources.missing:  # sources of ADD that a variable names
            return self.sources.missing
        state = self.states[target.index]
        steps = tuple(dict.fromkeys(vertex for index in reachable for vertex in self.states[index].steps))
        return Lowered(
            target=state.edge,
            config=replace(state.config, labels={**state.config.labels, **self.options.labels}),
            platform=self.options.platform if self.options.platform_requested else state.image_platform,
            history=tuple(state.history),
            steps=steps,
            stages=tuple(index for index in sorted(self.states) if not self._is_replaced(index)),
            author=state.author,
            base_layers=state.base_layers,
        )

    def _is_replaced(self, index: int) -> bool:
        return not isinstance(self.sources.replacement(self.dockerfile.stages[index]), bool)

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

    # Which stages and sources the target rests on.

    def _reachable(self, target: Stage) -> set[int]:
        found: set[int] = set()
        pending = [*range(len(self.dockerfile.stages))] if self.options.all_stages else [target.index]
        while pending:
            index = pending.pop()
            if index in found:
                continue
            found.add(index)
            for named in self._used(self.dockerfile.stages[index]):
                if isinstance(named, Stage):
                    pending.append(named.index)
                else:
                    self.sources.need(named)
        return found

    def _used(self, stage: Stage) -> Iterator[Named]:
        """What the stage rests on, as far as it is known by now."""
        yield self._base(stage)
        for instruction in self._instructions(stage):
            for text, option in _names(instruction):
                yield self.sources.named(text, stage, instruction.location, option)

    def _base(self, stage: Stage) -> Named:
        """What the stage begins with: its base, or the named context that takes its place."""
        context = self.sources.replacement(stage)
        return self.sources.base(stage) if isinstance(context, bool) else context

    def _instructions(self, stage: Stage) -> tuple[Instruction, ...]:
        """What the stage does: first the triggers of its base, stage or image, if that is known by now."""
        if not isinstance(self.sources.replacement(stage), bool):
            return ()
        base = self.sources.base(stage)
        triggers: tuple[str, ...] = ()
        if isinstance(base, Stage):
            triggers = tuple(item.trigger for item in base.instructions if isinstance(item, OnBuild))
        elif isinstance(base, ImageRequest) and base in self.sources.pins.images:
            triggers = self.sources.image(base).config.config.on_build
        if not triggers:
            return stage.instructions
        origin = f"ONBUILD of {self.sources.base_name(stage)}"
        place = stage.from_instruction.location
        read = (replace(parse_instruction(text, origin=origin), location=place) for text in triggers)
        return (*read, *stage.instructions)

    # One stage after the other.

    def _stage(self, stage: Stage) -> StageState:
        state = self._begun(stage)
        state.no_cache = self.options.no_cache or (stage.name or "") in self.options.no_cache_stages
        state.known = self.known
        instructions = self._instructions(stage)
        state.total = sum(isinstance(item, Run | Copy | Add | Workdir) for item in instructions)
        for instruction in instructions:
            state.used.clear()
            self._dispatch(state, instruction)
        return state

    def _begun(self, stage: Stage) -> StageState:
        platform = self.sources.platform(stage) or self.options.platform
        match self._base(stage):
            case Stage(index=index):
                return self.states[index].inherited(stage)
            case ImageRequest() as request:
                return self._from_image(stage, request)
            case None:
                return StageState.scratch(self.dockerfile, stage, self.options.platform)
            case named:
                state = StageState.scratch(self.dockerfile, stage, platform)
                state.edge = self.sources.edge(named, stage.from_instruction.location)
                return state

    def _from_image(self, stage: Stage, request: ImageRequest) -> StageState:
        image = self.sources.image(request)
        env = Environment.of(image.config.config.env)
        if "PATH" not in env:
            env.set("PATH", DEFAULT_PATH)
        config = replace(image.config.config, env=env.items_list(), on_build=())
        return StageState(
            self.dockerfile,
            stage,
            # An image without layers is an empty tree to BuildKit, too.
            self.sources.edge(request, stage.from_instruction.location),
            env,
            replace(config, working_dir=config.working_dir or "/"),
            list(image.config.history),
            platform=request.platform,
            image_platform=image.config.platform,
            author=image.config.author,
            base_layers=len(image.layers),
        )

    def _dispatch(self, state: StageState, instruction: Instruction) -> None:
        match instruction:
            case Run():
                mounted = [self._edge(item.from_, state, instruction.location, "from=") for item in instruction.mounts]
                run(state, instruction, self.options, mounted)
            case Copy():
                source = self._edge(instruction.from_, state, instruction.location, "COPY --from=")
                transfer(state, instruction, source, self.sources)
            case Add():
                transfer(state, instruction, self.sources.context(), self.sources)
            case Workdir():
                workdir(state, instruction, self.options)
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

    def _edge(self, text: str | None, state: StageState, location: Location, option: str) -> Edge | None:
        """What an instruction reads files of; without a name the build context. None is an empty tree."""
        if text is None:
            return self.sources.context()
        match self.sources.named(text, state.stage, location, option):
            case Stage(index=index):
                return self.states[index].edge
            case None:
                return None
            case named:
                return self.sources.edge(named, location)


def _names(instruction: Instruction) -> Iterator[tuple[str, str]]:
    """The names that an instruction takes files from, each with the option that says so."""
    if isinstance(instruction, Copy) and instruction.from_ is not None:
        yield instruction.from_, "COPY --from="
    elif isinstance(instruction, Run):
        for mount in instruction.mounts:
            if mount.from_ is not None:
                yield mount.from_, "from="


def _with_epoch(options: BuildOptions, variables: Mapping[str, str]) -> BuildOptions:
    """A global `ARG SOURCE_DATE_EPOCH=` counts as the option does, which wins."""
    text = variables.get("SOURCE_DATE_EPOCH", "")
    if options.source_date_epoch is not None or not (text.isascii() and text.isdecimal()):
        return options
    return replace(options, source_date_epoch=int(text))
