"""The cases of tests/golden/buildkit-cache.json, on our own base image and with our own servers."""

import base64
from collections.abc import Mapping
from typing import Any

from tests.support.golden import golden

from .case import Case, Entry, File, Folder, HardLink, Link

_ADDRESSES = (
    ("127.0.0.1:5055/bb:1", "registry.test/base"),
    ("http://127.0.0.1:5066/", "http://files.test/"),
    ("git://127.0.0.1:5067/r.git", "git://git.test/repo.git"),
)
_BUILDS_ARM = "t26_plat"


def golden_cases() -> tuple[Case, ...]:
    return tuple(_case(name, facts) for name, facts in golden()["cases"].items())


def _case(name: str, facts: Mapping[str, Any]) -> Case:
    context = dict(facts["context"])
    dockerfile: str = context.pop("Dockerfile")["text"]
    for there, here in _ADDRESSES:
        dockerfile = dockerfile.replace(there, here)
    if name == _BUILDS_ARM:
        dockerfile = dockerfile.replace("registry.test/base", "registry.test/multi")
    versions = {version for group in facts["groups"] for version in group["versions"]}
    built = "v0.8.3" in versions
    return Case(
        name=f"golden-{name.replace('_', '-')}",
        dockerfile=dockerfile,
        files=_files(context),
        served={"f.txt": "abc"} if "files.test" in dockerfile else {},
        secrets={"foo": "a secret"} if "type=secret" in dockerfile else {},
        ssh="type=ssh" in dockerfile,
        refused={} if built else {"dockerd": "BuildKit 0.8 made no records of it: it could not build it"},
        **_options(facts["opts"]),
    )


def _files(context: Mapping[str, Mapping[str, Any]]) -> dict[str, Entry]:
    files: dict[str, Entry] = {}
    linked: dict[str, str] = {}
    for path, facts in context.items():
        folder, _, name = path.rpartition("/")
        mode = int(facts.get("mode", "0o644"), 8)
        if "link" in facts:
            files[path] = Link(facts["link"])
        elif facts.get("type") == "dir":
            files[path] = Folder(mode)
        elif facts.get("nlink", 1) > 1 and folder in linked:
            files[path] = HardLink(linked[folder])
        else:
            data = base64.b64decode(facts["b64"]) if "b64" in facts else facts.get("text", "")
            files[path] = File(data, mode, facts.get("xattrs", {}))
            linked |= {folder: name} if facts.get("nlink", 1) > 1 else {}
    return files


def _options(opts: list[str]) -> dict[str, Any]:
    """The options of the golden builds, which are those of BuildKit's frontend, as a case has them."""
    options: dict[str, Any] = {"arguments": {}}
    for opt in opts:
        name, _, value = opt.partition("=")
        match name.partition(":")[0]:
            case "build-arg":
                options["arguments"][name.partition(":")[2]] = value
            case "security.insecure":
                options["allow"] = (name,)
            case "add-hosts":
                options["add_hosts"] = dict(item.split("=") for item in value.split(","))
            case "ulimit":
                options["ulimits"] = (value,)
            case "shm-size":
                options["shm_size"] = int(value)
            case "cgroup-parent":
                options["cgroup_parent"] = value
            case other:
                raise ValueError(f"golden option {other}")
    return options
