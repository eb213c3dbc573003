"""`spec.cache`: where cached steps come from, where they go, what may be believed, and what happens when it fails.

None of it says what is built, so none of it is in the build hash: changing it starts no build.
"""

import re
from enum import StrEnum

import msgspec

from .duration import parse_duration
from .fields import NAME, STAGE, Named, Part, require, require_duration, require_reference

_PATTERN = re.compile(r"[A-Za-z0-9._:/*\[\]-]{1,512}")
_FOREVER = 10 * 366 * 86400.0


class OnError(StrEnum):
    """Is a cache that does not work the build's failure?"""

    IGNORE = "Ignore"
    FAIL = "Fail"


class CacheMode(StrEnum):
    """Which steps a cache under a reference of its own holds."""

    MIN = "Min"
    MAX = "Max"


class SharedMode(StrEnum):
    READ_WRITE = "ReadWrite"
    READ_ONLY = "ReadOnly"


class Nothing(Part, frozen=True):
    """`previous: {}`"""


class Selector(Part, frozen=True):
    match_labels: dict[str, str]
    limit: int = 1


class CacheEntry(Part, frozen=True):
    """One source of `cache.from`: exactly one member is set."""

    previous: Nothing | None = None
    image_build_ref: Named | None = None
    image: str | None = None
    selector: Selector | None = None


class RegistryCache(Part, frozen=True):
    """BuildKit's `type=registry`: a cache that is no image, under a tag of its own."""

    ref: str
    mode: CacheMode = CacheMode.MAX


class CacheTo(Part, frozen=True):
    inline: bool = True
    attached: bool = True
    registry: RegistryCache | None = None


class SharedCache(Part, frozen=True):
    """A step cache: a repository in which every step of every build is found by its key."""

    ref: str
    mode: SharedMode = SharedMode.READ_WRITE

    @property
    def repository(self) -> str:
        """Its full name, registry and all."""
        return require_reference("spec.cache.shared.ref", self.ref).name


class Trust(Part, frozen=True):
    """Patterns as `contract.trust` reads them."""

    repositories: tuple[str, ...]


class Cache(Part, frozen=True):
    from_: tuple[CacheEntry, ...] = msgspec.field(default=(CacheEntry(previous=Nothing()),), name="from")
    to: CacheTo = CacheTo()
    shared: SharedCache | None = None
    on_import_error: OnError = OnError.IGNORE
    on_export_error: OnError = OnError.IGNORE
    import_timeout: str = "30s"
    max_age: str | None = None
    disabled: bool = False
    no_cache_stages: tuple[str, ...] = ()
    trust: Trust | None = None

    @property
    def import_timeout_seconds(self) -> float:
        return parse_duration(self.import_timeout)

    @property
    def max_age_seconds(self) -> float | None:
        return parse_duration(self.max_age) if self.max_age is not None else None

    @property
    def writes(self) -> bool:
        """Does a build leave anything for later ones?"""
        shared = self.shared is not None and self.shared.mode is SharedMode.READ_WRITE
        return self.to.inline or self.to.attached or self.to.registry is not None or shared


def check_cache(path: str, cache: Cache) -> None:
    """Raises InvalidSpec."""
    require(len(cache.from_) <= 16, f"{path}.from", "more than 16 entries")
    for index, entry in enumerate(cache.from_):
        _check_entry(f"{path}.from[{index}]", entry)
    if cache.to.registry is not None:
        reference = require_reference(f"{path}.to.registry.ref", cache.to.registry.ref)
        require(reference.digest is None, f"{path}.to.registry.ref", "must not have a digest, which the build makes")
    if cache.shared is not None:
        where = f"{path}.shared.ref"
        plain = require_reference(where, cache.shared.ref).digest is None and ":" not in cache.shared.ref.split("/")[-1]
        require(plain, where, "must be a repository, without tag and digest")
    require_duration(f"{path}.importTimeout", cache.import_timeout, 1, 600, "must be between 1s and 10m")
    if cache.max_age is not None:
        require_duration(f"{path}.maxAge", cache.max_age, 60, _FOREVER, "must be between 1m and 87600h")
    require(len(cache.no_cache_stages) <= 32, f"{path}.noCacheStages", "more than 32 entries")
    for index, stage in enumerate(cache.no_cache_stages):
        require(STAGE.fullmatch(stage), f"{path}.noCacheStages[{index}]", "not the name of a stage")
    if cache.trust is not None:
        _check_patterns(f"{path}.trust.repositories", cache.trust.repositories)


def _check_entry(path: str, entry: CacheEntry) -> None:
    members = (entry.previous, entry.image_build_ref, entry.image, entry.selector)
    require(
        sum(member is not None for member in members) == 1,
        path,
        "exactly one of previous, imageBuildRef, image, selector is needed",
    )
    if entry.image is not None:
        require_reference(f"{path}.image", entry.image)
    if entry.image_build_ref is not None:
        require(
            NAME.fullmatch(entry.image_build_ref.name), f"{path}.imageBuildRef.name", "not the name of an ImageBuild"
        )
    if entry.selector is not None:
        require(1 <= entry.selector.limit <= 16, f"{path}.selector.limit", "must be between 1 and 16")
        require(entry.selector.match_labels, f"{path}.selector.matchLabels", "must not be empty")


def is_pattern(text: str) -> bool:
    """Could it be a pattern of repositories? (What it takes in is `contract.matches_any`'s to say.)"""
    return _PATTERN.fullmatch(text) is not None


def _check_patterns(path: str, patterns: tuple[str, ...]) -> None:
    # An empty list could mean everything or nothing; nothing is `from: []`.
    require(1 <= len(patterns) <= 32, path, "must have between 1 and 32 entries")
    for index, pattern in enumerate(patterns):
        require(
            _PATTERN.fullmatch(pattern),
            f"{path}[{index}]",
            "not a pattern like registry.example/shop/*",
        )
