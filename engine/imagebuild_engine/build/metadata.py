"""The metadata file: buildx's keys, and one of ours."""

import msgspec

from ..contract import BuildResult


def metadata(result: BuildResult) -> bytes:
    """JSON with buildx's keys where there is an image, and everything under `imagebuild.result`."""
    value: dict[str, object] = {}
    if result.image:
        value["containerimage.config.digest"] = result.image.config_digest
        value["containerimage.descriptor"] = {"mediaType": result.image.media_type, "digest": result.image.digest}
        value["containerimage.digest"] = result.image.digest
        value["image.name"] = ",".join(result.image.refs)
    value["imagebuild.result"] = msgspec.to_builtins(result)
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
