"""The build request of an attempt: from the spec, and from the cache sources that the status already names.

The sources come from the status, not from another look at the cluster: an attempt made again after a crash gets the
same request.
"""

from typing import cast

from imagebuild_engine.contract import (
    BuildRequest,
    CacheSource,
    CacheTarget,
    DirectorySource,
    Dockerfile,
    GitSource,
    InvalidReference,
    Output,
    Reference,
    Source,
    SourceKind,
    layout,
)

from ..resource import CacheMode, Import, OnError, SharedMode, Spec, Status


def build_request(spec: Spec, status: Status) -> BuildRequest:
    cache = spec.cache
    imports = status.cache.imports if status.cache else ()
    return BuildRequest(
        source=_source(spec),
        output=Output(images=spec.images, push=True),
        dockerfile=Dockerfile(path=spec.dockerfile.path or "Dockerfile", inline=spec.dockerfile.inline),
        target=spec.target,
        build_args={argument.name: argument.value for argument in spec.build_args},
        # What has an outcome before the attempt is not to be asked: nobody is there, or nobody to believe.
        cache_from=tuple(_cache_source(one) for one in imports if not one.outcome and _is_reference(one.ref)),
        cache_to=_cache_targets(spec),
        inline_cache=cache.to.inline,
        no_cache=cache.disabled,
        no_cache_stages=cache.no_cache_stages,
        cache_import_timeout_seconds=cache.import_timeout_seconds,
        cache_max_age_seconds=cache.max_age_seconds,
        cache_trust=cache.trust.repositories if cache.trust else None,
        fail_on_import_error=cache.on_import_error is OnError.FAIL,
        timeout_seconds=spec.timeout_seconds,
        insecure_registries=(spec.image.registry,) if spec.output.insecure else (),
    )


def _cache_source(chosen: Import) -> CacheSource:
    kind = cast("SourceKind", chosen.from_)  # resolve() makes no other kinds
    return CacheSource(ref=chosen.ref, kind=kind, type="steps" if kind == "shared" else "registry")


def _cache_targets(spec: Spec) -> tuple[CacheTarget, ...]:
    cache, targets = spec.cache, []
    ignore = cache.on_export_error is OnError.IGNORE
    if cache.to.attached:
        targets.append(CacheTarget(type="attached", mode="max", ignore_error=ignore))
    if cache.to.registry is not None:
        mode, ref = cache.to.registry.mode, str(Reference.parse(cache.to.registry.ref))
        targets.append(CacheTarget(ref=ref, mode="max" if mode is CacheMode.MAX else "min", ignore_error=ignore))
    if cache.shared is not None and cache.shared.mode is SharedMode.READ_WRITE:
        targets.append(CacheTarget(ref=cache.shared.repository, type="steps", mode="max", ignore_error=ignore))
    return tuple(targets)


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
