"""The operator's settings, all from the environment. A value that cannot be is an error at the start, by name."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from .reconcile import Limits, Policy
from .render import BuilderOptions, SecurityOptions
from .resource import Profile, is_pattern
from .resource.duration import parse_duration


class InvalidSetting(ValueError):
    """`name` is the environment variable."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        super().__init__(f"{name}: {problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    builder: BuilderOptions
    policy: Policy
    namespaces: tuple[str, ...] = ()
    """Namespaces to serve; none means all."""
    lease_namespace: str = "default"
    lease_name: str = "imagebuild-operator"
    leader_election: bool = True
    identity: str = ""
    metrics_port: int = 8080
    health_port: int = 8081
    listen: str = "0.0.0.0"  # noqa: S104 (in a pod: the kubelet and the scraper come from outside)
    resync: float = 60.0
    workers: int = 8
    log_level: str = "INFO"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Raises InvalidSetting."""
        read = _Reader(os.environ if environment is None else environment)
        default = read.profile("IMAGEBUILD_DEFAULT_PROFILE", Profile.BASELINE)
        highest = read.profile("IMAGEBUILD_MAX_PROFILE", max(default, Profile.BASELINE, key=lambda one: one.rank))
        if default.rank > highest.rank:
            raise InvalidSetting(
                "IMAGEBUILD_DEFAULT_PROFILE", f"{default} is more than IMAGEBUILD_MAX_PROFILE {highest}"
            )
        image = read.text("IMAGEBUILD_BUILDER_IMAGE", "")
        if not image:
            raise InvalidSetting("IMAGEBUILD_BUILDER_IMAGE", "must name the image of the builder")
        return cls(
            builder=BuilderOptions(
                image=image,
                image_pull_policy=read.text("IMAGEBUILD_BUILDER_PULL_POLICY", "IfNotPresent"),
                default_profile=default,
                state_size_limit=read.text("IMAGEBUILD_STATE_SIZE_LIMIT", "10Gi"),
                security=SecurityOptions(
                    seccomp_localhost=read.text("IMAGEBUILD_SECCOMP_LOCALHOST", ""),
                    user_namespaces=read.flag("IMAGEBUILD_USER_NAMESPACES", default=False),
                ),
            ),
            policy=Policy(
                default_profile=default,
                max_profile=highest,
                limits=Limits(
                    per_namespace=read.number("IMAGEBUILD_MAX_BUILDS_PER_NAMESPACE", 0),
                    total=read.number("IMAGEBUILD_MAX_BUILDS", 0),
                ),
                backoff_initial=read.seconds("IMAGEBUILD_BACKOFF_INITIAL", "10s"),
                backoff_max=read.seconds("IMAGEBUILD_BACKOFF_MAX", "5m"),
                start_limit=read.seconds("IMAGEBUILD_START_LIMIT", "10m"),
                keep_succeeded=read.seconds("IMAGEBUILD_KEEP_SUCCEEDED", "10m"),
                keep_failed=read.seconds("IMAGEBUILD_KEEP_FAILED", "24h"),
                trusted_repositories=read.patterns("IMAGEBUILD_TRUSTED_REPOSITORIES"),
            ),
            namespaces=tuple(filter(None, read.text("IMAGEBUILD_NAMESPACES", "").replace(",", " ").split())),
            lease_namespace=read.text("IMAGEBUILD_LEASE_NAMESPACE", read.text("POD_NAMESPACE", "default")),
            lease_name=read.text("IMAGEBUILD_LEASE_NAME", "imagebuild-operator"),
            leader_election=read.flag("IMAGEBUILD_LEADER_ELECTION", default=True),
            identity=read.text("POD_NAME", socket.gethostname()),
            metrics_port=read.number("IMAGEBUILD_METRICS_PORT", 8080),
            health_port=read.number("IMAGEBUILD_HEALTH_PORT", 8081),
            listen=read.text("IMAGEBUILD_LISTEN", "0.0.0.0"),  # noqa: S104 (see above)
            resync=max(1.0, read.seconds("IMAGEBUILD_RESYNC", "60s")),
            workers=max(1, read.number("IMAGEBUILD_WORKERS", 8)),
            log_level=read.text("IMAGEBUILD_LOG_LEVEL", "INFO").upper(),
        )


class _Reader:
    """Typed values out of an environment; an empty variable counts as unset."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str) -> str:
        return self._environment.get(name, "").strip() or default

    def number(self, name: str, default: int) -> int:
        text = self.text(name, str(default))
        if not text.isdecimal():
            raise InvalidSetting(name, f'"{text}" is not a number')
        return int(text)

    def seconds(self, name: str, default: str) -> float:
        try:
            return parse_duration(self.text(name, default))
        except ValueError as error:
            raise InvalidSetting(name, str(error)) from None

    def patterns(self, name: str) -> tuple[str, ...] | None:
        """Patterns of repositories, apart by commas or blanks; None where there are none."""
        found = tuple(self.text(name, "").replace(",", " ").split())
        wrong = next((one for one in found if not is_pattern(one)), None)
        if wrong is not None:
            raise InvalidSetting(name, f'"{wrong[:80]}" is not a pattern like registry.example/shop/*')
        return found or None

    def flag(self, name: str, *, default: bool) -> bool:
        text = self.text(name, str(default)).lower()
        if text not in {"true", "false", "1", "0"}:
            raise InvalidSetting(name, f'"{text}" is neither true nor false')
        return text in {"true", "1"}

    def profile(self, name: str, default: Profile) -> Profile:
        text = self.text(name, default.value)
        try:
            return Profile(text)
        except ValueError:
            raise InvalidSetting(name, f'"{text}" is none of {", ".join(Profile)}') from None
