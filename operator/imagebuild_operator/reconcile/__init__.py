"""What to do: observation, decision, retries, cache sources, capacity, retention. Pure."""

from .cachefrom import Sibling, resolve
from .capacity import Limits
from .decide import decide
from .decision import (
    Count,
    CreateAttempt,
    Decision,
    DeleteAttempt,
    Event,
    Measure,
    Observe,
)
from .observation import Absent, Finished, Lost, Observation, Running, Terminating, Waiting, observe
from .policy import Policy
from .retention import OwnedPod, owned_pod
from .world import World

__all__ = [
    "Absent",
    "Count",
    "CreateAttempt",
    "Decision",
    "DeleteAttempt",
    "Event",
    "Finished",
    "Limits",
    "Lost",
    "Measure",
    "Observation",
    "Observe",
    "OwnedPod",
    "Policy",
    "Running",
    "Sibling",
    "Terminating",
    "Waiting",
    "World",
    "decide",
    "observe",
    "owned_pod",
    "resolve",
]
