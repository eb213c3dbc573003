"""The pod profiles of the API as security contexts: these and no more (engine document, section 4)."""

from dataclasses import dataclass
from typing import Any

from ..resource import Profile

_UID = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityOptions:
    """What the administrator says about the nodes."""

    seccomp_localhost: str = ""
    """Path of our seccomp file below the kubelet's seccomp folder; empty where the nodes have none."""
    user_namespaces: bool = False
    """May Baseline pods use `hostUsers: false`? (The nodes' runtime and kernel must know how.)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """Members to merge into the pod's spec, its security context, and its container's."""

    pod: dict[str, Any]
    pod_context: dict[str, Any]
    container_context: dict[str, Any]


def security_of(profile: Profile, options: SecurityOptions) -> Security:
    default = {"type": "RuntimeDefault"}
    local = {"type": "Localhost", "localhostProfile": options.seccomp_localhost} if options.seccomp_localhost else None
    match profile:
        case Profile.RESTRICTED:
            return Security(
                pod={},
                # The group makes the emptyDir writable for the one user.
                pod_context={"fsGroup": _UID, "runAsNonRoot": True, "seccompProfile": local or default},
                container_context={
                    "runAsUser": _UID,
                    "runAsGroup": _UID,
                    "runAsNonRoot": True,
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
            )
        case Profile.USER_NAMESPACE:
            return Security(
                pod={"hostUsers": False},
                # Unset, not RuntimeDefault, which forbids unshare and mount (isolation measurements, g1 and b3).
                pod_context={"seccompProfile": local} if local else {},
                container_context={
                    "runAsUser": 0,
                    "runAsGroup": 0,
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"], "add": ["SETUID", "SETGID", "SETFCAP"]},
                    "procMount": "Unmasked",
                },
            )
        case Profile.BASELINE:
            # The runtime's default capabilities: with fewer, the kernel drops setgid bits and file capabilities of
            # what a RUN step installs, and the image would be wrong without a word.
            return Security(
                pod={"hostUsers": False} if options.user_namespaces else {},
                pod_context={"seccompProfile": default},
                container_context={"runAsUser": 0, "runAsGroup": 0},
            )
        case Profile.PRIVILEGED:
            return Security(pod={}, pod_context={}, container_context={"runAsUser": 0, "privileged": True})
