"""What the administrator decides for all builds."""

from dataclasses import dataclass, field

from ..resource import Profile
from .capacity import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Durations are seconds."""

    default_profile: Profile = Profile.BASELINE
    max_profile: Profile = Profile.BASELINE
    limits: Limits = field(default_factory=Limits)
    infra_limit: int = 3
    disruption_limit: int = 10
    ambiguous_limit: int = 1
    backoff_initial: float = 10.0
    backoff_max: float = 300.0
    start_limit: float = 600.0
    """How long a pod may wait for a node, its image or a Secret."""
    keep_succeeded: float = 600.0
    keep_failed: float = 86400.0
    trusted_repositories: tuple[str, ...] | None = None
    """Patterns of repositories that a build may take cached steps from; None is all that it names."""
    poll: float = 60.0
    """How soon to look again where news should come by itself."""
