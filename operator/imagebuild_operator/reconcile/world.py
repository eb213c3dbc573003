"""Everything that a decision depends on."""

from dataclasses import dataclass, field
from datetime import datetime

from ..resource import Identity, InvalidSpec, Spec, Status, rfc3339
from .cachefrom import Sibling
from .observation import Observation
from .policy import Policy
from .retention import OwnedPod


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """`observation` is of the current attempt's pod, `pods` are all of ours."""

    identity: Identity
    spec: Spec | InvalidSpec
    status: Status
    observation: Observation
    now: datetime
    pods: tuple[OwnedPod, ...] = ()
    siblings: tuple[Sibling, ...] = ()
    policy: Policy = field(default_factory=Policy)

    @property
    def stamp(self) -> str:
        return rfc3339(self.now)
