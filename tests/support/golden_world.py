"""The world of the golden cases, without a daemon: what their options, images, downloads and steps stand for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from imagebuild_engine.core.cache import (
    CacheResult,
    ContentRequest,
    DescribedTree,
    LayerResult,
    PathNotFound,
    TreeEntry,
    entry_header,
)
from imagebuild_engine.core.dockerfile import IgnorePatterns, parse_dockerfile
from imagebuild_engine.core.frontend import (
    BuildOptions,
    CommitRequest,
    ImageRequest,
    Lowered,
    PinnedCommit,
    PinnedFile,
    PinnedImage,
    Pins,
    lower,
)
from imagebuild_engine.core.graph import (
    Chown,
    ExecOp,
    FileOp,
    GitSource,
    HostAddress,
    HttpSource,
    ImageSource,
    LocalSource,
    MergeOp,
    MkdirAction,
    MkfileAction,
    NetworkMode,
    Ulimit,
    UserById,
    Vertex,
)
from imagebuild_engine.core.oci import Digest, Platform

from .golden import AMD64, Case, base_image
from .shell_model import written_by


def options_of(found: Case) -> BuildOptions:
    """The options of a golden case, by the names of BuildKit's frontend. ValueError for one that is not known here."""
    options = BuildOptions(platform=AMD64, build_platform=AMD64, build_args=found.build_args)
    changes: dict[str, Any] = {}
    for text in found.data["opts"]:
        name, _, value = text.partition("=")
        match name:
            case _ if name.startswith("build-arg:"):
                if name == "build-arg:SOURCE_DATE_EPOCH":
                    changes["source_date_epoch"] = int(value)
            case "security.insecure":
                changes["allow_insecure"] = True
            case "add-hosts":
                pairs = (pair.split("=", 1) for pair in value.split(","))
                changes["extra_hosts"] = tuple(HostAddress(host=host, address=address) for host, address in pairs)
            case "ulimit":
                changes["ulimits"] = tuple(map(_ulimit, value.split(",")))
            case "shm-size":
                changes["shm_size"] = int(value)
            case "cgroup-parent":
                changes["cgroup_parent"] = value
            case "hostname" | "target":
                changes[name] = value
            case "force-network-mode":
                changes["network"] = {"host": NetworkMode.HOST, "none": NetworkMode.NONE}[value]
            case "platform":
                system, architecture, *variant = value.split("/")
                changes |= {"platform": Platform(system, architecture, "".join(variant)), "platform_requested": True}
            case _:
                raise ValueError(f"{found.name}: no idea what the option {text} means")
    return replace(options, **changes)


def _ulimit(text: str) -> Ulimit:
    name, _, limits = text.partition("=")
    soft, _, hard = limits.partition(":")
    return Ulimit(name=name, soft=int(soft), hard=int(hard or soft))


def lowered(found: Case) -> Lowered:
    """The case as a graph, on the images and downloads of the golden file."""
    dockerfile, options, pins = parse_dockerfile(found.dockerfile), options_of(found), Pins()
    while not isinstance(result := lower(dockerfile, options, pins), Lowered):
        assert result, f"{found.name}: nothing more is asked for, and nothing comes"
        pins = Pins(
            images={**pins.images, **{request: _image(found, request) for request in result.images}},
            files={**pins.files, **{url: _download(found, url) for url in result.files}},
            commits={**pins.commits, **{request: _commit(found, request) for request in result.commits}},
        )
    return result


def _image(found: Case, request: ImageRequest) -> PinnedImage:
    reference, image = base_image(found.file, request.platform)
    assert request.reference == reference, f"the golden file says nothing about {request.reference}"
    return image


def _fixture(found: Case, name: str) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = found.file["fixtures"][name]
    return facts


def _download(found: Case, url: str) -> PinnedFile:
    facts = _fixture(found, url)
    return PinnedFile(checksum=Digest.of(facts["body"].encode()), last_modified=facts.get("Last-Modified", ""))


def _commit(found: Case, request: CommitRequest) -> PinnedCommit:
    branch = request.ref or "main"
    return PinnedCommit(commit=_fixture(found, request.remote)[branch], ref=f"refs/heads/{branch}")


def kept_by_dockerignore(found: Case) -> set[str]:
    """What .dockerignore leaves of the context, walked from the top as the client does."""
    context = found.data["context"]
    text = context.get(".dockerignore", {}).get("text", "")
    matcher = IgnorePatterns.parse(text).matcher
    kept: set[str] = set()
    for path in context:
        if not matcher.matches_or_parent_matches(path):
            kept.add(path)
            parents = path.split("/")[:-1]
            kept.update("/".join(parents[: number + 1]) for number in range(len(parents)))
    return kept


class NotKnown(Exception):
    """What a step leaves behind cannot be said without running it."""


@dataclass(frozen=True)
class Tree:
    """A result: the number of layers, and the files that are known, without those of the base image.

    `hidden` is a step that may have changed any of them, `more` one that has added others.
    """

    layers: int
    files: Mapping[str, TreeEntry] = field(default_factory=dict)
    hidden: str = ""
    more: str = ""

    @property
    def described(self) -> DescribedTree:
        return DescribedTree(self.files.values(), root_digest=_entry("", "dir").digest)


@dataclass
class Told:
    """A worker that knows what every step yields, as far as somebody may ask."""

    found: Case
    current_only: bool = False
    ran: list[Vertex] = field(default_factory=list)
    """The steps that had to be executed; sources are none."""
    loaded: list[CacheResult] = field(default_factory=list)

    async def load(self, vertex: Vertex, source: int, result: CacheResult) -> Tree:
        self.loaded.append(result)
        layers = result.layer + 1 if isinstance(result, LayerResult) else len(result.layers)
        return replace(self._made(vertex, ()), layers=layers)

    def gone(self, result: Tree) -> bool:
        return False

    async def digests(self, vertex: Vertex, number: int, result: Tree, request: ContentRequest) -> tuple[Digest, ...]:
        if isinstance(vertex.inputs[number].vertex.op, LocalSource):
            tree = self.found.context(kept_by_dockerignore(self.found))
        else:
            tree = result.described
            # A pattern below the root, such as /o*, is taken to choose nothing of the base image.
            broad = any(item.chooses or item.path == "/" for item in request.selectors) or not request.selectors
            if result.hidden or (broad and result.more):
                raise NotKnown(result.hidden or result.more)
        try:
            return (request.digest(tree),) if self.current_only else request.digests(tree)
        except PathNotFound as error:
            raise (NotKnown(result.more) if result.more else error) from None

    async def execute(self, vertex: Vertex, inputs: Sequence[Tree]) -> Tree:
        if vertex.inputs:
            self.ran.append(vertex)
        return self._made(vertex, inputs)

    def _made(self, vertex: Vertex, inputs: Sequence[Tree]) -> Tree:
        below = inputs[0] if inputs and _on_input(vertex) else Tree(0)
        match vertex.op:
            case LocalSource():
                return Tree(0)
            case ImageSource(diff_ids=diff_ids):
                return Tree(len(diff_ids), more="the base image")
            case HttpSource(url=url, filename=name):
                return Tree(1, {name: _entry(name, "file", _fixture(self.found, url)["body"].encode(), mode=0o600)})
            case GitSource(remote=remote):
                tree = _fixture(self.found, remote)["tree"]
                return Tree(1, {path: _entry(path, "file", text.encode()) for path, text in tree.items()})
            case ExecOp(args=args):
                made = written_by(args[-1])
                if made is None:
                    return replace(below, layers=below.layers + 1, hidden=args[-1])
                entries = {
                    path: _entry(path, "dir" if text is None else "file", text or b"") for path, text in made.items()
                }
                return replace(below, layers=below.layers + 1, files={**below.files, **entries})
            case MergeOp():
                return replace(below, layers=sum(tree.layers for tree in inputs), more="a merge")
            case FileOp(actions=actions):
                files = dict(below.files)
                more = below.more
                for action in actions:
                    match action:
                        case MkdirAction(path=path, mode=mode, owner=owner):
                            files[path[1:]] = _entry(path[1:], "dir", mode=mode, owner=owner)
                        case MkfileAction(path=path, data=data, mode=mode):
                            files[path[1:]] = _entry(path[1:], "file", data, mode=mode)
                        case _:
                            more = "a copy"
                return replace(below, layers=below.layers + 1, files=files, more=more)


def _on_input(vertex: Vertex) -> bool:
    """Is the vertex's tree built on that of its first input?"""
    op = vertex.op
    return isinstance(op, ExecOp) or (isinstance(op, FileOp) and op.actions[0].input == 0) or isinstance(op, MergeOp)


def _entry(path: str, kind: str, data: bytes = b"", *, mode: int = 0, owner: Chown | None = None) -> TreeEntry:
    ids = [
        item.id if isinstance(item, UserById) else 0 for item in ((owner.user, owner.group) if owner else (None,) * 2)
    ]
    header = entry_header(
        mode=mode or (0o644 if kind == "file" else 0o755),
        uid=ids[0],
        gid=ids[1],
        size=len(data),
        typeflag="0" if kind == "file" else "5",
        linkname="",
    )
    return TreeEntry(path, "file" if kind == "file" else "dir", Digest.of(header + data))
