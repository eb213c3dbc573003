"""The spec of an ImageBuild, decoded and checked. Errors name the field's path; nothing is ignored.

The CRD's schema checks most of this already; these checks hold where the CRD is older than the operator, and for what
CEL cannot say. A field of the API document that this version lacks is refused by name.
"""

import re
from enum import StrEnum

import msgspec
from imagebuild_engine.contract import Reference

from .cache_spec import Cache, check_cache
from .duration import parse_duration
from .fields import NAME, STAGE, InvalidSpec, Named, Part, require, require_duration, require_reference

NOT_YET = frozenset(
    {
        "http",
        "ociArtifact",
        "persistentVolumeClaim",
        "submodules",
        "secretRef",
        "platforms",
        "labels",
        "annotations",
        "timestamp",
        "skipIfUnchanged",
        "exportOnFailure",
        "secrets",
        "ssh",
        "registries",
        "serviceAccountName",
        "cloudIdentity",
        "tolerations",
        "affinity",
        "priorityClassName",
        "runtimeClassName",
        "schedulerName",
        "workspace",
        "queueTimeout",
        "retry",
        "concurrencyPolicy",
        "queueName",
        "cancel",
        "onBaseImageChange",
        "schedule",
        "provenance",
        "sbom",
        "historyLimit",
        "podRetention",
        "valueFrom",
        "claims",
    }
)
"""Names that the API document knows and this version does not."""

_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_REVISION = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./@{}~^+-]{0,255}")
_GIT_URL = re.compile(r"(https?|ssh|git)://[^\s/?#]+/\S*|[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:(?!//)\S+")
_PASSWORD = re.compile(r"[a-z]+://[^/@]*:[^/@]*@|https?://[^/@]*@")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`(?: - at `\$([^`]*)`)?")
_AT = re.compile(r"(.*?)(?: - at `(?:key in )?\$([^`]*)`)?", re.DOTALL)


class NotSupported(InvalidSpec):
    """A field of the design that this version has not got."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "not supported yet")

    def __str__(self) -> str:
        return f"not supported yet: {self.path}"


class Profile(StrEnum):
    """How much a builder pod may do, strictest first (engine document, section 4)."""

    RESTRICTED = "Restricted"
    USER_NAMESPACE = "UserNamespace"
    BASELINE = "Baseline"
    PRIVILEGED = "Privileged"

    @property
    def rank(self) -> int:
        return list(Profile).index(self)


class Git(Part, frozen=True):
    url: str
    revision: str = "HEAD"
    depth: int = 1


class Source(Part, frozen=True):
    git: Git | None = None
    config_map: Named | None = None
    context_dir: str = "."


class Dockerfile(Part, frozen=True):
    path: str | None = None
    inline: str | None = None


class BuildArg(Part, frozen=True):
    name: str
    value: str = ""


class Output(Part, frozen=True):
    image: str
    additional_tags: tuple[str, ...] = ()
    push_secret_ref: Named | None = None
    insecure: bool = False


class Resources(Part, frozen=True):
    requests: dict[str, str | int | float] = msgspec.field(default_factory=dict)
    limits: dict[str, str | int | float] = msgspec.field(default_factory=dict)


class Pod(Part, frozen=True):
    resources: Resources = Resources()
    node_selector: dict[str, str] = msgspec.field(default_factory=dict)
    security_profile: Profile | None = None


class Rebuild(Part, frozen=True):
    token: str = ""


class Spec(Part, frozen=True):
    """What the user asked for."""

    source: Source
    output: Output
    dockerfile: Dockerfile = Dockerfile()
    target: str = ""
    build_args: tuple[BuildArg, ...] = ()
    cache: Cache = Cache()
    timeout: str = "30m"
    pod: Pod = Pod()
    rebuild: Rebuild = Rebuild()
    suspend: bool = False

    @property
    def timeout_seconds(self) -> float:
        return parse_duration(self.timeout)

    @property
    def image(self) -> Reference:
        return Reference.parse(self.output.image)

    @property
    def images(self) -> tuple[str, ...]:
        """All full references to push, the main one first."""
        tags = (str(self.image.with_tag(tag)) for tag in self.output.additional_tags)
        return tuple(dict.fromkeys((str(self.image), *tags)))


def parse_spec(value: object) -> Spec:
    """The spec in the object's JSON; raises InvalidSpec."""
    try:
        spec = msgspec.convert(value, Spec)
    except msgspec.ValidationError as error:
        raise _translated(str(error)) from None
    _check(spec)
    return spec


def _translated(text: str) -> InvalidSpec:
    if unknown := _UNKNOWN.fullmatch(text):
        path = f"spec{unknown[2] or ''}.{unknown[1]}"
        return NotSupported(path) if unknown[1] in NOT_YET else InvalidSpec(path, "there is no such field")
    found = _AT.fullmatch(text)
    assert found is not None  # the pattern matches any text
    return InvalidSpec(f"spec{found[2] or ''}", found[1])


def _check(spec: Spec) -> None:
    _check_source(spec.source)
    dockerfile = spec.dockerfile
    require(
        dockerfile.path is None or dockerfile.inline is None, "spec.dockerfile", "path and inline exclude each other"
    )
    if dockerfile.path is not None:
        _check_inside("spec.dockerfile.path", dockerfile.path)
    inline = dockerfile.inline or ""
    require(len(inline.encode("utf-8", "replace")) <= 65536, "spec.dockerfile.inline", "longer than 64 KiB")
    require(not spec.target or STAGE.fullmatch(spec.target), "spec.target", "not the name of a stage")
    _check_arguments(spec.build_args)
    _check_output(spec.output)
    check_cache("spec.cache", spec.cache)
    require_duration("spec.timeout", spec.timeout, 10, 86400, "must be between 10s and 24h")


def _check_source(source: Source) -> None:
    require(
        (source.git is None) != (source.config_map is None), "spec.source", "exactly one of git, configMap is needed"
    )
    _check_inside("spec.source.contextDir", source.context_dir)
    if source.config_map is not None:
        require(NAME.fullmatch(source.config_map.name), "spec.source.configMap.name", "not the name of a ConfigMap")
    if source.git is not None:
        git = source.git
        # A password in a URL would be readable by everybody who may read ImageBuilds.
        require(not _PASSWORD.match(git.url), "spec.source.git.url", "must not hold credentials")
        require(
            len(git.url) <= 2048 and _GIT_URL.fullmatch(git.url), "spec.source.git.url", "not an https, ssh or git URL"
        )
        require(
            _REVISION.fullmatch(git.revision) and ".." not in git.revision,
            "spec.source.git.revision",
            "not the name of a branch, tag or commit",
        )
        require(0 <= git.depth <= 1_000_000, "spec.source.git.depth", "must not be negative")


def _check_inside(path: str, text: str) -> None:
    require(text and "\0" not in text and len(text) <= 1024, path, "must be a relative path")
    require(not text.startswith("/") and ".." not in text.split("/"), path, "must stay inside the source")


def _check_arguments(arguments: tuple[BuildArg, ...]) -> None:
    seen: set[str] = set()
    for index, argument in enumerate(arguments):
        path = f"spec.buildArgs[{index}].name"
        require(_ARGUMENT.fullmatch(argument.name), path, "not the name of an argument")
        require(argument.name not in seen, path, f"{argument.name} is given twice")
        seen.add(argument.name)


def _check_output(output: Output) -> None:
    reference = require_reference("spec.output.image", output.image)
    require(reference.digest is None, "spec.output.image", "must not have a digest, which the build makes")
    require(len(output.additional_tags) <= 32, "spec.output.additionalTags", "more than 32 entries")
    for index, tag in enumerate(output.additional_tags):
        require(_TAG.fullmatch(tag), f"spec.output.additionalTags[{index}]", "not a tag")
    if output.push_secret_ref is not None:
        require(
            NAME.fullmatch(output.push_secret_ref.name), "spec.output.pushSecretRef.name", "not the name of a Secret"
        )
