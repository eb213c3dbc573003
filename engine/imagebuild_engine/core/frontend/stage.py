"""A stage while it is being lowered: the tree so far, the state that RUN sees, the config that the image will have."""

from dataclasses import dataclass, field, replace

from ..dockerfile import Dockerfile, DockerfileError, ExpansionError, Location, Stage
from ..dockerfile import expand as expand_word
from ..dockerfile import expand_document as expand_document_text
from ..graph import SCRATCH, Edge, MergeOp, Op, Origin, Scope, Vertex
from ..oci import HistoryEntry, Platform, RunConfig
from .scope import DEFAULT_PATH, Env, Noted

COMMENT = "buildkit.dockerfile.v0"
INSTRUCTION_LIMIT = 120


@dataclass
class StageState:
    """Mutable on purpose: instructions change it one after the other. A stage built FROM this one gets a copy."""

    dockerfile: Dockerfile
    stage: Stage
    edge: Edge | None
    env: Env
    config: RunConfig
    history: list[HistoryEntry]
    platform: Platform
    """That of the steps that run here."""
    image_platform: Platform
    """What an image made of this stage says of itself, unless the caller asks for a platform."""
    args: list[tuple[str, str | None]] = field(default_factory=list)
    """Declared ARGs in order, with the value that the declaration gave."""
    arguments: set[str] = field(default_factory=set)
    """The variables that are ARGs now: neither ENV nor the image has taken the name since."""
    made_of: dict[str, frozenset[str]] = field(default_factory=dict)
    """Of a variable those that its value was made of, and those that theirs were."""
    used: set[str] = field(default_factory=set)
    """The variables that the present instruction was expanded with."""
    cmd_set: bool = False
    """Was there a CMD in this stage? ENTRYPOINT drops an inherited one."""
    no_cache: bool = False
    author: str = ""
    base_layers: int = 0
    total: int = 0
    steps: list[Vertex] = field(default_factory=list)
    known: dict[tuple[Op, tuple[Edge, ...]], Vertex] = field(default_factory=dict)
    """All steps of the build: what does the same on the same inputs is one vertex, as in BuildKit, and runs once."""

    @classmethod
    def scratch(cls, dockerfile: Dockerfile, stage: Stage, platform: Platform) -> "StageState":
        env = Env({"PATH": DEFAULT_PATH})
        config = RunConfig(env=env.items_list(), working_dir="/")
        return cls(dockerfile, stage, None, env, config, [], platform, platform)

    def inherited(self, stage: Stage) -> "StageState":
        """The beginning of a stage built FROM this one: state and ARGs come along, its steps do not count again.

        The image's variables are set once more, so they stand behind the ARGs that came along, and win over them.
        Triggers do not come along.
        """
        env = self.env.copy()
        for item in self.config.env:
            name, _, value = item.partition("=")
            env.set(name, value)
        return StageState(
            self.dockerfile,
            stage,
            self.edge,
            env,
            replace(self.config, on_build=()),
            list(self.history),
            self.platform,
            self.image_platform,
            list(self.args),
            arguments=self.arguments - {item.partition("=")[0] for item in self.config.env},
            made_of=dict(self.made_of),
            author=self.author,
            base_layers=self.base_layers,
        )

    @property
    def name(self) -> str:
        return self.stage.name or f"stage-{self.stage.index}"

    def expand(self, word: str, location: Location) -> str:
        """The word with its variables; an error gets the line."""
        try:
            return expand_word(word, Noted(self.env, self.used), escape=self.dockerfile.escape)
        except ExpansionError as error:
            raise error.at(location, self.dockerfile.source) from error

    def error(self, message: str, location: Location, hint: str = "") -> DockerfileError:
        return DockerfileError(message, location, self.dockerfile.source, hint)

    def sources_of_used(self) -> frozenset[str]:
        """The variables that the present instruction was expanded with, and those that they are made of."""
        return frozenset(self.used).union(*(self.made_of.get(name, ()) for name in self.used))

    def set_env(self, name: str, value: str) -> None:
        """ENV: for later instructions and in the image's config."""
        self.env.set(name, value)
        self.arguments.discard(name)
        config = Env.of(self.config.env)
        kept = [item for item in self.config.env if item.partition("=")[0] != name]
        if name in config:  # the config keeps the place of a name, unlike the state that RUN sees
            kept = [f"{name}={value}" if item.partition("=")[0] == name else item for item in self.config.env]
        else:
            kept.append(f"{name}={value}")
        self.config = replace(self.config, env=tuple(kept))

    def commit(self, text: str, *, layer: bool = False) -> None:
        """A history entry; its time is filled in when the layers have theirs."""
        self.history.append(HistoryEntry(created_by=text, comment=COMMENT, empty_layer=not layer))

    def step(self, op: Op, inputs: tuple[Edge, ...], text: str, location: Location, written: str = "") -> None:
        """A vertex that is a step of the user's; its output is the stage's tree from now on.

        `written` is the text before expansion, where `text` is not.
        """
        number = len(self.steps) + 1
        label = f"{self.stage.name} " if self.stage.name else (f"{self.name} " if self.stage.index else "")
        vertex = self.known.get((op, inputs)) or Vertex(
            op=op,
            inputs=inputs,
            description=f"[{label}{number}/{self.total}] {text}",
            origin=Origin(
                stage=self.name,
                line=location.start,
                instruction=text[:INSTRUCTION_LIMIT],
                scope=self._scope(number, (written or text)[:INSTRUCTION_LIMIT]),
            ),
            ignore_cache=self.no_cache,
        )
        self.known[op, inputs] = vertex
        self.steps.append(vertex)
        self.edge = Edge(vertex)

    def _scope(self, position: int, written: str) -> Scope:
        return Scope(
            position=position,
            written=written,
            variables=dict(self.env),
            arguments=frozenset(self.arguments),
            used=self.sources_of_used(),
            workdir=self.config.working_dir,
            user=self.config.user,
        )

    def link(self, op: Op, inputs: tuple[Edge, ...], text: str, location: Location) -> None:
        """A step that is made on nothing and laid on the stage's tree (`COPY --link`): on scratch there is no merge."""
        below = self.edge
        self.step(op, inputs, text, location)
        if below is not None and self.edge is not None:
            self.edge = self._vertex(MergeOp(count=2), (below, self.edge), f"LINK {text}")

    def internal(self, op: Op, description: str, inputs: tuple[Edge, ...] = ()) -> Edge:
        """A vertex that people do not know as a step."""
        return self._vertex(op, inputs, f"[internal] {description}")

    def _vertex(self, op: Op, inputs: tuple[Edge, ...], description: str) -> Edge:
        vertex = self.known.setdefault((op, inputs), Vertex(op=op, inputs=inputs, description=description))
        return Edge(vertex)

    def expand_document(self, text: str, location: Location) -> str:
        """A heredoc's body with its variables; an error gets the line."""
        try:
            return expand_document_text(text, Noted(self.env, self.used))
        except ExpansionError as error:
            raise error.at(location, self.dockerfile.source) from error

    def on_tree(self) -> tuple[int, tuple[Edge, ...]]:
        """The number and the edge of the stage's tree as the first input; scratch is no input."""
        return (SCRATCH, ()) if self.edge is None else (0, (self.edge,))
