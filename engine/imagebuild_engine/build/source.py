"""The request's source as a directory on disk."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..contract import BuildRequest
from ..core.dockerfile import IgnoreMatcher, IgnorePatterns
from ..host.context import ContextMissing, ContextTree, checkout, context_directory, dereferenced
from .settings import Settings

_MAX_DOCKERFILE = 4 << 20


@dataclass(frozen=True, slots=True)
class FetchedSource:
    """`revision` is the Git commit, empty for directories; `time` the commit's time in seconds, or None."""

    directory: Path
    revision: str = ""
    time: int | None = None


async def fetch_source(request: BuildRequest, settings: Settings, scratch: Path) -> FetchedSource:
    """Raises GitFailed or ContextMissing."""
    source = request.source
    if (source.git is None) == (source.directory is None):
        raise ContextMissing("exactly one source must be given")
    if source.git:
        tree = await checkout(
            source.git.url,
            source.git.revision,
            depth=source.git.depth,
            directory=scratch / "git",
            allow_local=settings.local_git,
        )
        return FetchedSource(context_directory(tree.directory, source.context_dir), tree.commit, tree.time)
    assert source.directory is not None
    root = Path(source.directory.path)
    if source.directory.dereference:
        root = dereferenced(root, scratch / "volume")
    return FetchedSource(context_directory(root, source.context_dir))


def read_dockerfile(request: BuildRequest, context: Path) -> tuple[str, bytes]:
    """Name (for messages) and text of the Dockerfile. Raises ContextMissing."""
    if request.dockerfile.inline is not None:
        return "Dockerfile", request.dockerfile.inline.encode(errors="surrogateescape")
    name = request.dockerfile.path
    path = (context / name).resolve()
    if not path.is_relative_to(context.resolve()):
        raise ContextMissing(f'the Dockerfile "{name}" is not inside the build context')
    try:
        with path.open("rb") as stream:
            return name, stream.read(_MAX_DOCKERFILE)
    except FileNotFoundError as error:
        hint = f' (there is "{found[0]}")' if (found := _similar(context)) else ""
        raise ContextMissing(f'there is no "{name}" in the build context{hint}') from error
    except OSError as error:
        raise ContextMissing(f'the Dockerfile "{name}" cannot be read: {error.strerror}') from error


@dataclass(frozen=True, slots=True)
class Ignored:
    """What .dockerignore says, in the forms that walking and copying ask for."""

    matcher: IgnoreMatcher | None

    def excludes(self, path: str) -> bool:
        return self.matcher is not None and self.matcher.matches_or_parent_matches(path)

    def prunes(self, directory: str) -> bool:
        """Is an excluded directory excluded with all that is in it?"""
        return self.matcher is None or not self.matcher.may_reinclude_below(directory)

    @property
    def select(self) -> Callable[[bytes, bool], bool] | None:
        """Shall a path (a directory?) of the context be copied? None: everything."""
        return self._selects if self.matcher is not None else None

    def _selects(self, path: bytes, directory: bool) -> bool:
        text = os.fsdecode(path)
        return not self.excludes(text) or (directory and not self.prunes(text))


def open_context(request: BuildRequest, context: Path) -> tuple[ContextTree, Ignored]:
    """The context without what .dockerignore excludes; `<Dockerfile>.dockerignore` wins over it."""
    own = context / f"{request.dockerfile.path}.dockerignore"
    path = own if request.dockerfile.inline is None and own.is_file() else context / ".dockerignore"
    text = path.read_bytes() if path.is_file() else b""
    patterns = IgnorePatterns.parse(text)
    ignored = Ignored(patterns.matcher if patterns.patterns else None)
    return ContextTree(context, excluded=ignored.excludes, prunable=ignored.prunes), ignored


def _similar(context: Path) -> list[str]:
    return sorted(entry.name for entry in context.iterdir() if entry.name.lower().endswith("dockerfile"))[:1]
