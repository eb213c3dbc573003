"""Manifests from values: build request, ConfigMap, builder pod. Pure."""

from .builder_pod import BuilderOptions, builder_pod
from .config_map import request_config_map
from .request import build_request
from .security import SecurityOptions, security_of

__all__ = ["BuilderOptions", "SecurityOptions", "build_request", "builder_pod", "request_config_map", "security_of"]
