"""What a process finds around it: variables, resolv.conf, hosts; and which file its first argument names."""

import posixpath
import stat

from ..rootfs import Owner, TooManyLinks, Tree
from .errors import ExecutableMissing, NotExecutable, StartFailed
from .process import Process

RESOLV_CONF, HOSTS = b"etc/resolv.conf", b"etc/hosts"
MOUNT_POINTS = (b"proc", b"dev", b"sys")
"""Directories that a step's tree has, whether something is mounted there or not."""

_HOSTS = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""
_RESOLV_CONF_LIMIT = 1 << 16


def environment(process: Process) -> tuple[str, ...]:
    """The variables, each name once with its last value, and HOME where the step does not say it (as runc does)."""
    found: dict[str, str] = {}
    for item in process.env:
        name, _, value = item.partition("=")
        found[name] = value
    found.setdefault("HOME", process.user.home)
    return tuple(f"{name}={value}" for name, value in found.items())


def hosts_file(process: Process) -> bytes:
    extra = [f"{address}\t{name}\n" for name, address in process.extra_hosts]
    return "".join([_HOSTS, f"127.0.0.1\t{process.hostname}\n", *extra]).encode()


def resolv_conf() -> bytes:
    """The surroundings' own: steps share their network. Empty where there is none."""
    try:
        with open("/etc/resolv.conf", "rb") as file:
            return file.read(_RESOLV_CONF_LIMIT)
    except OSError:
        return b""


def make_working_directory(tree: Tree, process: Process) -> None:
    """Made where it is missing, for the step's user. Raises StartFailed if something is in its place.

    BuildKit makes the place that the path comes to, and the runtime what else is on the way: /a/../b takes both.
    """
    try:
        tree.make_directories(posixpath.normpath(process.cwd), 0o755, Owner(process.user.uid, process.user.gid))
        tree.make_directories(process.cwd, 0o755, Owner(0, 0))
    except (NotADirectoryError, TooManyLinks) as error:
        raise StartFailed(
            process.args[0], f"cannot enter its working directory {process.cwd}: {error.strerror}"
        ) from error


def find_executable(tree: Tree, process: Process) -> str:
    """The path of the executable inside the tree. Raises StartFailed (ExecutableMissing, NotExecutable).

    Looked up before anything starts: every runtime words the error differently, and none of them for users. What is
    not in the tree may still be in a mount: with mounts, a name that is not found is given back as it is.
    """
    name = process.args[0] if process.args else ""
    if not name:
        raise ExecutableMissing(name)
    targets = [mount.destination for mount in process.mounts]
    if any("\0" in text for text in (*process.args, *process.env, process.cwd, *targets)):
        raise StartFailed(name.replace("\0", "\\0"), "its arguments or its environment have a null byte")
    if "/" in name:
        candidates, path = [posixpath.join(process.cwd, name)], None
    else:
        path = next((item[5:] for item in reversed(process.env) if item.startswith("PATH=")), "")
        candidates = [posixpath.join(process.cwd, part, name) for part in path.split(":") if part]
    refused = None
    for candidate in candidates:
        try:
            found = tree.stat(candidate)
        except OSError:
            continue
        if stat.S_ISREG(found.st_mode) and found.st_mode & 0o111:
            return candidate
        refused = "it is a directory" if stat.S_ISDIR(found.st_mode) else "permission denied (no execute bit)"
    if process.mounts:
        return name
    if refused is not None and path is None:
        raise NotExecutable(name, refused)
    raise ExecutableMissing(name, path)
