"""Why dockerd 20.10 cannot build a case. Its client is 20.10's, its frontend that of BuildKit 0.8."""

from collections.abc import Mapping


def _dockerd(reason: str) -> Mapping[str, str]:
    return {"dockerd": reason}


HEREDOCS = _dockerd("no heredocs before BuildKit 0.10")
LINK = _dockerd("no --link before BuildKit 0.10")
EXCLUDE = _dockerd("no --exclude before BuildKit 0.25")
PARENTS = _dockerd("no --parents before BuildKit 0.26")
SYMBOLIC = _dockerd("no symbolic --chmod before BuildKit 0.14")
CHECKSUM = _dockerd("no --checksum before BuildKit 0.11")
UNPACK = _dockerd("no --unpack before BuildKit 0.23")
GIT = _dockerd("no ADD of Git repositories before BuildKit 0.11")
SECRET_ENV = _dockerd("no secrets in the environment before BuildKit 0.18")
NETWORK = _dockerd("its frontend does not know RUN --network")
SECURITY = _dockerd("its frontend does not know RUN --security")
CONTEXTS = _dockerd("no named contexts before BuildKit 0.10")
PATTERNS = _dockerd("no ${name#pattern} and ${name/pattern/text} before BuildKit 0.14")
START_INTERVAL = _dockerd("no --start-interval before BuildKit 0.12")
