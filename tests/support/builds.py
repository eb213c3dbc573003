"""What the e2e tests build: a small application in two stages, and the manifests that ask for it."""

from typing import Any

from tests.cluster.access import Access
from tests.support.product import Repository

DOCKERFILE = """FROM {base} AS build
WORKDIR /src
COPY src .
RUN cat *.txt > all && echo built
FROM {base}
COPY --from=build /src/all /all
COPY greeting /
CMD ["cat", "/all", "/greeting"]
"""


NEEDS_NO_BASE = {"Dockerfile": "FROM scratch\nCOPY greeting /\n", "greeting": "hello\n"}
"""For the registry with passwords: only the output's registry is asked over plain HTTP, a base's would not be."""


def base(access: Access) -> str:
    return f"{access.registry}/library/busybox:1"


def files(access: Access) -> dict[str, str]:
    dockerfile = DOCKERFILE.format(base=base(access))
    return {"Dockerfile": dockerfile, "src/a.txt": "a\n", "src/b.txt": "b\n", "greeting": "hello\n"}


def image_build(name: str, repository: Repository | None, image: str, **spec: Any) -> dict[str, Any]:
    source = {"git": {"url": repository.url, "revision": "main"}} if repository else {}
    return {
        "apiVersion": "imagebuild.dev/v1alpha1",
        "kind": "ImageBuild",
        "metadata": {"name": name},
        "spec": {"source": source, "output": {"image": image, "insecure": True}} | spec,
    }


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    found = [item for item in status.get("conditions", []) if item["type"] == kind]
    return found[0] if found else {}
