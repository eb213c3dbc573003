"""`imagebuild doctor`: what this machine or pod allows, and what the build makes of it."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..host.executor import Capabilities, Choice

_WORDS = {
    "chroot": "change the root directory (chroot)",
    "switch_ids": "become other users (setuid, setgid, setgroups)",
    "chown": "give files to other users (chown)",
    "devices": "make device nodes such as /dev/null",
    "mounts": "mount overlayfs, on which layers are kept",
    "fresh_proc": "mount a /proc of its own for each step",
    "cgroups": "make cgroups, which bound what a step uses",
    "own_ids": "make a user namespace with 65,536 ids",
    "own_mounts": "mount overlayfs in such a user namespace",
    "own_fresh_proc": "mount a /proc in such a user namespace",
}
_EXECUTORS = {
    "oci": "RUN steps run in containers",
    "chroot": "RUN steps run by chroot: with the image's files, but without isolation",
    "none": "RUN steps cannot run here; builds without them, or with all of them cached, can",
}
_SNAPSHOTS = {"overlay": "layers are mounted on each other", "flat": "layers are copied over each other"}


@click.command()
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--state", type=click.Path(file_okay=False), default=None, help="The directory that builds would use.")
def doctor(form: str, state: str | None) -> None:
    """Say what the surroundings allow and which executor results."""
    from ..host.executor import ProbeFailed, choose, probe

    try:
        capabilities = probe(Path(state or tempfile.gettempdir()))
    except (ProbeFailed, OSError) as error:  # OSError: there is no directory for temporary files
        raise click.ClickException(str(error)) from error
    choice = choose(capabilities)
    if form == "json":
        print(json.dumps({"capabilities": asdict(capabilities), "choice": asdict(choice)}, indent=2, default=str))
        return
    print(f"executor: {choice.executor} ({_EXECUTORS[choice.executor]})")
    print(f"snapshots: {choice.snapshotter} ({_SNAPSHOTS[choice.snapshotter]})")
    print(f"why: {choice.why}")
    for line in _advice(capabilities, choice):
        print(f"to get more: {line}")
    print("\nwhat is allowed here:")
    values = asdict(capabilities)
    for name, words in _WORDS.items():
        print(f"{'yes' if values[name] else 'no':>5}  {words}")
    ids = {1: "one user id", 2**32 - 1: "all user ids"}.get(capabilities.ids, f"{capabilities.ids:,} user ids")
    where = "a user namespace" if capabilities.user_namespace else "the machine's own user namespace"
    print(f"\nuser {capabilities.uid}, in {where} with {ids}")
    runtime = capabilities.runtime
    if runtime is None:
        print(f"container runtime: none ({capabilities.runtime_problem})")
    else:
        seccomp = "with" if runtime.seccomp else "without"
        print(f"container runtime: {runtime.kind} {runtime.version}, {seccomp} seccomp ({runtime.path})")


def _advice(found: "Capabilities", choice: "Choice") -> list[str]:
    """What a person could change to have steps run in containers."""
    from ..host.executor import VARIABLE, ExecutorKind

    if choice.executor is ExecutorKind.OCI:
        return []
    said = []
    if not (found.mounts and found.chown and found.switch_ids) and not (found.own_ids and found.own_mounts):
        said.append("be root (sudo), or in a cluster give the pod the profile UserNamespace")
    if found.runtime is None:
        said.append(f"install runc 1.2 or crun 1.9, or newer ones, or say in {VARIABLE} where one is")
    return said
