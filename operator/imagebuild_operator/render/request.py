"""The build request of an attempt: from the spec, and from the cache sources that the status already names.

The sources come from the status, not from another look at the cluster: an attempt made again after a crash gets the
same request.
"""

from typing import Literal, cast

from imagebuild_engine.contract import (
    BuildRequest,
    CacheSource,
    DirectorySource,
    Dockerfile,
    GitSource,
    InvalidReference,
    Output,
    Reference,
    Source,
    layout,
)

from ..resource import Spec, Status

_Kind = Literal["previous", "imagebuild", "image", "selector"]


def build_request(spec: Spec, status: Status) -> BuildRequest:
    imports = status.cache.imports if status.cache else ()
    return BuildRequest(
        source=_source(spec),
        output=Output(images=spec.images, push=True),
        dockerfile=Dockerfile(path=spec.dockerfile.path or "Dockerfile", inline=spec.dockerfile.inline),
        target=spec.target,
        build_args={argument.name: argument.value for argument in spec.build_args},
        cache_from=tuple(
            CacheSource(ref=one.ref, kind=cast("_Kind", one.from_))  # resolve() makes no other kinds
            for one in imports
            if _is_reference(one.ref)
        ),
        inline_cache=spec.cache.to.inline,
        timeout_seconds=spec.timeout_seconds,
        insecure_registries=(spec.image.registry,) if spec.output.insecure else (),
    )


def _source(spec: Spec) -> Source:
    git = spec.source.git
    if git is not None:
        found = GitSource(url=git.url, revision=git.revision, depth=git.depth)
        return Source(git=found, context_dir=spec.source.context_dir)
    directory = DirectorySource(path=layout.CONTEXT_DIRECTORY, dereference=True)
    return Source(directory=directory, context_dir=spec.source.context_dir)


def _is_reference(text: str) -> bool:
    try:
        Reference.parse(text)
    except InvalidReference:
        return False
    return True
