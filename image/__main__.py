"""`python -m image [--push REFERENCE]`: the product's image, built by our own engine.

Its base is a Debian root file system made on this machine and served from a registry on loopback for as long as the
build takes, so nothing is pulled from anywhere. The result is an OCI layout in build/image.oci, or a pushed image.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from image.build import ROOT, build
from tests.cluster import debian, images
from tests.cluster.layout import Registry
from tests.support.registry import running_registry

LAYOUT = ROOT / "build" / "image.oci"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m image", description="build the product's image")
    parser.add_argument("--push", metavar="REFERENCE", help="push it under this name (docker's credentials are used)")
    parser.add_argument("--insecure", action="store_true", help="speak plain HTTP with the registry of REFERENCE")
    chosen = parser.parse_args()
    debian.ensure("build", "cluster", "images")
    base = images.debian_python()
    with tempfile.TemporaryDirectory() as folder, running_registry(Path(folder)) as registry:
        Registry(address=registry.host).push(base.make(), base.repository, base.tag)
        return build(f"{registry.host}/{base.repository}:{base.tag}", where(chosen)).returncode


def where(chosen: argparse.Namespace) -> list[str]:
    """The options of `imagebuild build` that say where the image goes."""
    if not chosen.push:
        return ["--output", f"type=oci,dest={LAYOUT},tar=false"]
    insecure = ["--insecure-registry", chosen.push.partition("/")[0]] if chosen.insecure else []
    return ["--push", "--tag", chosen.push, "--cache-from", chosen.push, *insecure]


if __name__ == "__main__":
    sys.exit(main())
