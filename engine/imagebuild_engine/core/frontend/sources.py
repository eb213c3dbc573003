"""What names in a Dockerfile stand for: stages, images, named contexts, URLs, repositories; and the edges of those.

A name that somebody has to look up outside is asked for by way of `missing`; nothing here touches a network.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlsplit

from ..dockerfile import (
    Dockerfile,
    DockerfileError,
    ExpansionError,
    GitReference,
    Location,
    Stage,
    expand,
    parse_git_reference,
    remote_kind,
    suggest,
)
from ..graph import Edge, GitSource, HttpSource, ImageSource, LocalSource, Op, Vertex
from ..oci import Digest, InvalidPlatform, InvalidReference, Platform, Reference
from .options import BuildOptions, CommitRequest, ImageRequest, NeedsPins, PinnedImage, Pins

SCRATCH_NAME = "scratch"
CONTEXT = "context"
_LOCAL = "local:"
_IMAGE = "docker-image://"
_LAYOUT = "oci-layout://"
_UNNAMED = "__unnamed__"


@dataclass(frozen=True, slots=True)
class ContextDirectory:
    """A directory of the caller under a name of its own (`--build-context NAME=DIR`)."""

    name: str


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A URL, the name that its file gets, and the digest that the Dockerfile demands, if it does."""

    url: str
    filename: str
    checksum: Digest | None = None


@dataclass(frozen=True, slots=True)
class RemoteTree:
    """A repository at a revision, as the Dockerfile names it."""

    reference: GitReference
    keep_git_dir: bool = False
    checksum: str = ""

    @property
    def request(self) -> CommitRequest:
        return CommitRequest(self.reference.remote, self.reference.ref)


Named: TypeAlias = Stage | ImageRequest | ContextDirectory | RemoteFile | RemoteTree | None
"""What a name stands for; None is `scratch`, the empty tree."""


@dataclass
class Sources:
    """The names of one Dockerfile with one set of options. Each source is one vertex, however often it is named."""

    dockerfile: Dockerfile
    options: BuildOptions
    pins: Pins
    variables: Mapping[str, str]
    _missing: dict[ImageRequest | CommitRequest | str, None] = field(default_factory=dict)
    _edges: dict[Op, Edge] = field(default_factory=dict)

    @property
    def missing(self) -> NeedsPins:
        """All that was asked for and is not pinned yet."""
        return NeedsPins(
            images=tuple(item for item in self._missing if isinstance(item, ImageRequest)),
            files=tuple(item for item in self._missing if isinstance(item, str)),
            commits=tuple(item for item in self._missing if isinstance(item, CommitRequest)),
        )

    # What a name means.

    def replacement(self, stage: Stage) -> Named | bool:
        """The named context that stands in the place of the whole stage; False if there is none."""
        platform = self.platform(stage) or self.options.platform
        return self._named_context(stage.name, platform, stage.from_instruction.location) if stage.name else False

    def base(self, stage: Stage) -> Named:
        """What FROM names: an earlier stage, a named context, an image or nothing."""
        name, location = self.base_name(stage), stage.from_instruction.location
        earlier = reversed(self.dockerfile.stages[: stage.index])
        found = next((known for known in earlier if known.name == name.lower()), None)
        if found is not None:
            return found
        return self._image(name, self.platform(stage) or self.options.platform, location, stage)

    def base_name(self, stage: Stage) -> str:
        """The expanded word after FROM."""
        name = self._expand(stage.base, stage.from_instruction.location)
        if not name:
            raise self._error(
                f"FROM {stage.base}: the name of the base image is empty: an ARG in it has no value",
                stage.from_instruction.location,
                "declare the ARG before the first FROM, or give it with --build-arg",
            )
        return name

    def platform(self, stage: Stage) -> Platform | None:
        """The value of `FROM --platform`; None without one."""
        if stage.platform is None:
            return None
        location = stage.from_instruction.location
        text = self._expand(stage.platform, location)
        if not text:
            raise self._error(f"FROM --platform={stage.platform}: an ARG in it has no value", location)
        try:
            return Platform.parse(text, own=self.options.build_platform)
        except InvalidPlatform as error:
            raise self._error(f"FROM --platform: {error}", location) from error

    def named(self, text: str, stage: Stage, location: Location, option: str) -> Named:
        """What `--from` or `from=` (as `option` writes it) names for an instruction of `stage`."""
        if text == SCRATCH_NAME:
            return None
        found = self.dockerfile.stage(text, before=stage.index)
        if found is not None:
            return found
        later = self.dockerfile.stage(text)
        if later is not None:
            which = "itself" if later.index == stage.index else "a later stage"
            raise self._error(f"{option}{text}: a stage cannot copy from {which}", location)
        if text.isascii() and text.isdecimal():
            raise self._error(f"{option}{text}: there is no stage of that number before this one", location)
        return self._image(text, self.options.platform, location, stage)

    def remote(
        self, text: str, location: Location, *, checksum: str = "", keep_git_dir: bool | None = None
    ) -> RemoteFile | RemoteTree | None:
        """The URL or repository that a source of ADD is; None if it is a path."""
        kind = remote_kind(text)
        if kind is None:
            return None
        if kind == "http":
            return RemoteFile(text, filename_of(text), self._digest(checksum, location) if checksum else None)
        try:
            reference = parse_git_reference(text)
        except DockerfileError as error:
            raise error.at(location, self.dockerfile.source) from error
        assert reference is not None
        if reference.checksum and checksum and reference.checksum != checksum:
            raise self._error(
                f"ADD: checksum mismatch: {reference.checksum} in the URL, {checksum} in the flag", location
            )
        if None not in (reference.keep_git_dir, keep_git_dir) and reference.keep_git_dir != keep_git_dir:
            raise self._error("ADD: keep-git-dir differs between the URL and the flag", location)
        kept = reference.keep_git_dir if reference.keep_git_dir is not None else keep_git_dir
        return RemoteTree(reference, bool(kept), reference.checksum or checksum)

    def _image(self, text: str, platform: Platform, location: Location, stage: Stage) -> Named:
        context = self._named_context(text, platform, location)
        if not isinstance(context, bool):
            return context
        if text == SCRATCH_NAME:
            return None
        try:
            return ImageRequest(Reference.parse(text), platform)
        except InvalidReference as error:
            names = [known.name for known in self.dockerfile.stages[: stage.index] if known.name]
            raise self._error(f"{error}", location, suggest(text, names)) from error

    def _named_context(self, name: str, platform: Platform, location: Location) -> Named | bool:
        """What --build-context says of the name; False if nothing. `NAME::PLATFORM` wins over `NAME`."""
        familiar = _familiar(name)
        value = self.options.contexts.get(f"{familiar}::{platform}", self.options.contexts.get(familiar))
        if value is None:
            return False
        if value.startswith(_IMAGE):
            text = value.removeprefix(_IMAGE)
            return None if text == SCRATCH_NAME else ImageRequest(Reference.parse(text), platform)
        if value.startswith(_LOCAL):
            return ContextDirectory(value.removeprefix(_LOCAL))
        if value.startswith(_LAYOUT):
            raise self._error(f"not supported yet: --build-context {familiar}={value} (an OCI layout)", location)
        remote = self.remote(value, location)
        if remote is None:
            raise self._error(
                f'--build-context {familiar}: "{value}" is no directory, image, URL or repository', location
            )
        return RemoteFile(remote.url, CONTEXT) if isinstance(remote, RemoteFile) else remote

    # What must be known of it first, and the edge that it then is.

    def need(self, named: Named) -> None:
        """Ask for what is not pinned yet."""
        match named:
            case ImageRequest() if named not in self.pins.images:
                self._missing[named] = None
            case RemoteFile(url=url, checksum=None) if url not in self.pins.files:
                self._missing[url] = None
            case RemoteTree(request=request) if request not in self.pins.commits:
                self._missing[request] = None

    def image(self, request: ImageRequest) -> PinnedImage:
        return self.pins.images[request]

    def edge(self, named: ImageRequest | ContextDirectory | RemoteFile | RemoteTree, location: Location) -> Edge | None:
        """The source as a vertex; None for an image without layers, which is an empty tree."""
        match named:
            case ImageRequest():
                image = self.pins.images[named]
                if not image.layers:
                    return None
                op: Op = ImageSource(
                    reference=image.reference,
                    digest=image.digest,
                    platform=named.platform,
                    diff_ids=image.config.diff_ids,
                )
                return self._vertex(op, f"FROM {image.reference}")
            case ContextDirectory(name=name):
                return self.context(name)
            case RemoteFile():
                return self._vertex(self._http(named), f"[internal] fetch {_shown(named.url)}")
            case RemoteTree():
                return self._vertex(self._git(named, location), f"[internal] fetch {_shown(named.reference.remote)}")

    def context(self, name: str = CONTEXT) -> Edge:
        """A directory of the caller's; without a name the build context."""
        what = "build context" if name == CONTEXT else f"context {name}"
        return self._vertex(LocalSource(name=name), f"[internal] load {what}")

    def _http(self, file: RemoteFile) -> HttpSource:
        if file.checksum is not None:
            return HttpSource(url=file.url, filename=file.filename, checksum=file.checksum)
        pinned = self.pins.files[file.url]
        return HttpSource(
            url=file.url, filename=file.filename, checksum=pinned.checksum, last_modified=pinned.last_modified
        )

    def _git(self, tree: RemoteTree, location: Location) -> GitSource:
        pinned = self.pins.commits[tree.request]
        commits = [commit for commit in (pinned.commit, pinned.tag) if commit]
        if tree.checksum and not any(commit.startswith(tree.checksum) for commit in commits):
            raise self._error(f"ADD: the repository is at {' or '.join(commits)}, not at {tree.checksum}", location)
        reference = tree.reference
        return GitSource(
            remote=reference.remote,
            commit=(tree.keep_git_dir and pinned.tag) or pinned.commit,
            ref=pinned.ref,
            subdir=reference.subdir,
            keep_git_dir=tree.keep_git_dir,
            submodules=reference.submodules is not False,
        )

    def _vertex(self, op: Op, description: str) -> Edge:
        if op not in self._edges:
            self._edges[op] = Edge(Vertex(op=op, description=description))
        return self._edges[op]

    def _digest(self, text: str, location: Location) -> Digest:
        try:
            return Digest.parse(text)
        except ValueError as error:
            raise self._error(f"ADD --checksum={text}: {error}", location) from error

    def _expand(self, word: str, location: Location) -> str:
        try:
            return expand(word, self.variables, escape=self.dockerfile.escape)
        except ExpansionError as error:
            raise error.at(location, self.dockerfile.source) from error

    def _error(self, message: str, location: Location, hint: str = "") -> DockerfileError:
        return DockerfileError(message, location, self.dockerfile.source, hint)


def filename_of(url: str) -> str:
    """The last element of the URL's path, as ADD names the file."""
    try:
        base = posixpath.basename(urlsplit(url).path.rstrip("/"))
    except ValueError:
        return _UNNAMED
    return base or _UNNAMED


def _familiar(name: str) -> str:
    """The name as people write it: without the default registry and the tag `latest`."""
    try:
        reference = Reference.parse(name)
    except InvalidReference:
        return name
    return reference.familiar.removesuffix(":latest")


def _shown(url: str) -> str:
    """Without a user's name and password."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}" if separator else url
