"""`imagebuild build` of images without a base: no registry is needed, and the image is read from its OCI layout."""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tests.support import forked
from tests.support.program import environment

Files = dict[str, tuple[int, int, int]]


@dataclass(frozen=True)
class Bench:
    """A context and a place for what comes out."""

    folder: Path

    @property
    def context(self) -> Path:
        return self.folder / "context"

    def write(self, dockerfile: str, **files: str) -> None:
        """The context's Dockerfile, and files by their names (`__` is a slash)."""
        for name, text in ({"Dockerfile": dockerfile} | files).items():
            path = self.context / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def build(self, *arguments: str, stdin: bytes = b"", code: int = 0) -> str:
        """What the program said; without arguments, of the context."""
        command = ["build", "--progress", "plain", "--output", f"type=oci,dest={self.folder}/out,tar=false"]
        command += arguments or (str(self.context),)
        done = forked.run(command, environment("/nonexistent", self.folder), stdin=stdin)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def layers(self) -> list[tarfile.TarFile]:
        """Of the image that was built last."""
        blobs = self.folder / "out/blobs/sha256"
        manifest = json.loads((self.folder / "out/index.json").read_bytes())["manifests"][0]
        layers = json.loads((blobs / manifest["digest"][7:]).read_bytes())["layers"]
        return [tarfile.open(blobs / layer["digest"][7:]) for layer in layers]

    def files(self) -> Files:
        """Owner and mode by name, the upper layers over the lower ones."""
        found: Files = {}
        for layer in self.layers():
            with layer:
                found |= {member.name.rstrip("/"): (member.uid, member.gid, member.mode) for member in layer}
        return found
