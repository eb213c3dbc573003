"""The request's source as a directory on disk."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from ..contract import BuildRequest
from ..core.dockerfile import IgnorePatterns
from ..host.context import ContextMissing, ContextTree, checkout, context_directory, dereferenced
from .archive_source import ALONE, fetch_archive, unpack
from .settings import Settings

_MAX_DOCKERFILE = 4 << 20


@dataclass(frozen=True, slots=True)
class FetchedSource:
    """`revision` is the Git commit, empty for others; `time` the commit's time in seconds, or None.

    `dockerfile` names the Dockerfile where the source is that alone; `owned`: owners of files count.
    """

    directory: Path
    revision: str = ""
    time: int | None = None
    dockerfile: str = ""
    owned: bool = False


async def fetch_source(request: BuildRequest, settings: Settings, scratch: Path) -> FetchedSource:
    """Raises GitFailed, FetchFailed or ContextMissing."""
    source = request.source
    if sum(given is not None for given in (source.git, source.directory, source.archive)) != 1:
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
    if source.archive:
        path = await fetch_archive(source.archive, scratch)
        unpacked = await asyncio.to_thread(unpack, path, scratch)
        directory = context_directory(unpacked.directory, source.context_dir)
        return FetchedSource(directory, dockerfile=ALONE if unpacked.alone else "", owned=unpacked.owned)
    assert source.directory is not None
    root = Path(source.directory.path)
    if source.directory.dereference:
        root = dereferenced(root, scratch / "volume")
    return FetchedSource(context_directory(root, source.context_dir))


def read_dockerfile(request: BuildRequest, source: FetchedSource) -> tuple[str, bytes]:
    """Name (for messages) and text of the Dockerfile. Raises ContextMissing."""
    if request.dockerfile.inline is not None:
        return "Dockerfile", request.dockerfile.inline.encode(errors="surrogateescape")
    name, context = source.dockerfile or request.dockerfile.path, source.directory
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


def open_context(request: BuildRequest, source: FetchedSource) -> ContextTree:
    """The context without what .dockerignore excludes; `<Dockerfile>.dockerignore` wins over it."""
    context = source.directory
    own = context / f"{request.dockerfile.path}.dockerignore"
    if request.dockerfile.inline is None and own.is_file():
        return _without_ignored(context, own, source.owned)
    return _without_ignored(context, context / ".dockerignore", source.owned)


def open_named_context(directory: Path) -> ContextTree:
    """A context without what its own .dockerignore excludes."""
    return _without_ignored(directory, directory / ".dockerignore")


def _without_ignored(context: Path, file: Path, owned: bool = False) -> ContextTree:
    patterns = IgnorePatterns.parse(file.read_bytes() if file.is_file() else b"")
    return ContextTree(context, patterns.matcher if patterns.patterns else None, owned=owned)


def _similar(context: Path) -> list[str]:
    return sorted(entry.name for entry in context.iterdir() if entry.name.lower().endswith("dockerfile"))[:1]
