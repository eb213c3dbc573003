"""Why dockerd 20.10 cannot build a case: what its frontend, that of BuildKit 0.8, does not know or does wrongly."""

from collections.abc import Mapping


def _dockerd(reason: str) -> Mapping[str, str]:
    return {"dockerd": reason}


HEREDOCS = _dockerd("knows no heredocs")
LINK = _dockerd("knows no --link")
EXCLUDE = _dockerd("knows no --exclude")
PARENTS = _dockerd("knows no --parents")
CHECKSUM = _dockerd("knows no --checksum")
UNPACK = _dockerd("knows no --unpack")
GIT = _dockerd("does not know Git repositories in ADD")
SECRET_ENV = _dockerd("does not know secrets in the environment")
NETWORK = _dockerd("does not know RUN --network")
SECURITY = _dockerd("does not know RUN --security")
CONTEXTS = _dockerd("knows no named contexts")
PATTERNS = _dockerd("does not know ${name#pattern}")
NO_COLON = _dockerd("knows ${name:-word}, but not ${name-word}")
START_INTERVAL = _dockerd("knows no --start-interval")
TMPFS_SIZE = _dockerd("knows no size of a tmpfs")
MOUNT_VARIABLES = _dockerd("does not expand variables in a mount's source")
PLATFORM_ARG = _dockerd("takes a global ARG BUILDPLATFORM for an empty one")
ONBUILD_FROM = _dockerd("does not find stages that a trigger copies from")
