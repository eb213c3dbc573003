"""Where things are in a builder pod. The operator mounts them there, the engine looks for them there."""

REQUEST_FILE = "/imagebuild/request/request.json"
CONTEXT_DIRECTORY = "/imagebuild/context"
DOCKER_CONFIG_DIRECTORY = "/imagebuild/docker"
"""Holds `config.json`, the registry credentials, where a Secret was named."""
STATE_DIRECTORY = "/imagebuild/state"
"""An emptyDir: snapshots and blobs. Overlay needs it to be a file system of its own kind, not the container's root."""
TERMINATION_MESSAGE_FILE = "/dev/termination-log"
