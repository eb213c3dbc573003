"""The hash that says whether a changed spec asks for another image.

Source, Dockerfile, target, arguments, output and the rebuild token count. Cache, pod, timeout and suspend do not: they
say how to build, not what.
"""

import hashlib

import msgspec

from .spec import Spec


def build_hash(spec: Spec) -> str:
    """16 hex digits; equal for specs that ask for the same image."""
    relevant = {
        "version": 1,
        "source": spec.source,
        "dockerfile": {"path": spec.dockerfile.path or "Dockerfile", "inline": spec.dockerfile.inline},
        "target": spec.target,
        # The list is a map by name: its order says nothing.
        "buildArgs": {argument.name: argument.value for argument in spec.build_args},
        "images": spec.images,
        "insecure": spec.output.insecure,
        "pushSecretRef": spec.output.push_secret_ref,
        "token": spec.rebuild.token,
    }
    return hashlib.sha256(msgspec.json.encode(relevant, order="sorted")).hexdigest()[:16]
