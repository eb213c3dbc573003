"""References to Git repositories, as ADD and a build's context have them (frontend/dockerfile/dfgitutil).

https://host/path.git   http(s) only with .git at the path's end; git:// and ssh:// with any path
user@host:path          as ssh has it
…#ref:subdir            or …?ref=… tag= branch= subdir= checksum= commit= keep-git-dir= submodules= mtime=
                        fetch-by-commit=
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..patterns import clean_path
from .errors import DockerfileError, suggest
from .scalars import parse_bool
from .weburl import BadUrl, octets_of, parse_query, parse_url

_PROTOCOL = re.compile(r"([a-zA-Z0-9]+)://")
_SCP = re.compile(r"([a-zA-Z0-9\-_]+)@([a-zA-Z0-9\-.]+):([^\n]*)")
_KEYS = (
    "ref", "tag", "branch", "subdir", "checksum", "commit", "keep-git-dir", "submodules", "mtime", "fetch-by-commit",
)  # fmt: skip
_SWITCHES = ("keep-git-dir", "submodules", "fetch-by-commit")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitReference:
    """What to fetch: `ref` is a commit, tag or branch, `checksum` a commit that it must be; empty is not said."""

    remote: str
    short_name: str
    ref: str = ""
    subdir: str = ""
    checksum: str = ""
    keep_git_dir: bool | None = None
    submodules: bool | None = None
    mtime: str = ""
    """"" or "checkout" for the time of the checkout, "commit" for the commit's."""
    fetch_by_commit: bool = False
    like_a_path: bool = False
    """`github.com/…` without protocol, which ADD takes for a path."""
    unencrypted: bool = False


def parse_git_reference(text: str) -> GitReference | None:
    """The reference, None if the (expanded) text is none. DockerfileError without place if its query is wrong."""
    parts = _parts(text)
    if parts is None:
        return None
    remote, fragment, query, like_a_path, unencrypted = parts
    ref, _, subdir = fragment.partition(":")
    options = _Options(text, ref, clean_path("/" + subdir)[1:] if fragment else "")
    for key, values in query.items():
        options.set(key, values)
    options.settle()
    return GitReference(
        remote=remote,
        short_name=remote.rsplit("/", 1)[-1].removesuffix(".git"),
        ref=options.ref,
        subdir=options.subdir,
        checksum=options.checksum,
        keep_git_dir=options.switches.get("keep-git-dir"),
        submodules=options.switches.get("submodules"),
        mtime=options.mtime,
        fetch_by_commit=options.switches.get("fetch-by-commit", False),
        like_a_path=like_a_path,
        unencrypted=unencrypted,
    )


def _parts(text: str) -> tuple[str, str, dict[str, list[str]], bool, bool] | None:
    """Remote, fragment, query, and whether it is like a path and unencrypted."""
    if text.startswith(("./", "../")):
        return None
    protocol = _PROTOCOL.match(text)
    like_a_path = text.startswith("github.com/")
    if protocol is None and not like_a_path:
        return _scp_parts(text)
    if protocol is not None and protocol[1].lower() not in ("http", "https", "ssh", "git"):
        return None
    try:
        url = parse_url(text, scheme="https")
    except BadUrl:
        return None
    if protocol is not None and url.scheme in ("http", "https") and not url.path.endswith(".git"):
        return None
    query, _ = parse_query(url.query)
    remote = url.plain.partition("://")[2] if like_a_path else url.plain
    return remote, url.fragment, query, like_a_path, url.scheme in ("http", "git")


def _scp_parts(text: str) -> tuple[str, str, dict[str, list[str]], bool, bool] | None:
    match = _SCP.fullmatch(text)
    if match is None:
        return None
    rest, _, fragment = match[3].partition("#")
    path, _, query_text = rest.partition("?")
    query, complete = parse_query(octets_of(query_text))
    if not complete:
        return None
    return f"{match[1]}@{match[2]}:{path}", fragment, query, False, False


class _Options:
    """Fragment and query put together; they must not contradict each other."""

    def __init__(self, text: str, ref: str, subdir: str) -> None:
        self.text = text
        self.ref = ref
        self.subdir = subdir
        self.tag = ""
        self.branch = ""
        self.checksum = ""
        self.mtime = ""
        self.switches: dict[str, bool] = {}

    def set(self, key: str, values: list[str]) -> None:
        value = values[0]
        if len(values) > 1:
            raise self._error(f"{key} is given {len(values)} times")
        if not value and key not in _SWITCHES:
            raise self._error(f"{key} has no value")
        match key:
            case "ref":
                self._set_ref(value)
            case "tag":
                self.tag = value if value.startswith("refs/tags/") else f"refs/tags/{value}"
            case "branch":
                self.branch = value if value.startswith("refs/heads/") else f"refs/heads/{value}"
            case "subdir":
                if self.subdir and self.subdir != value:
                    raise self._error(f"two directories: {self.subdir} and {value}")
                self.subdir = value
            case "checksum" | "commit":
                self.checksum = value
            case "mtime":
                if value not in ("checkout", "commit"):
                    raise self._error(f"mtime={value} must be checkout or commit")
                self.mtime = value
            case "keep-git-dir" | "submodules" | "fetch-by-commit":
                truth = parse_bool(value or "true")
                if truth is None:
                    raise self._error(f"{key}={value} must be true or false")
                self.switches[key] = truth
            case _:
                raise self._error(f"unexpected key {key}", suggest(key, _KEYS))

    def settle(self) -> None:
        """Tag and branch after all else, in BuildKit's order."""
        if self.tag:
            self._set_ref(self.tag)
        if self.branch:
            if self.tag:
                raise self._error("a branch and a tag")
            self._set_ref(self.branch)

    def _set_ref(self, ref: str) -> None:
        if self.ref and self.ref != ref:
            raise self._error(f"two references: {self.ref} and {ref}")
        self.ref = ref

    def _error(self, problem: str, hint: str = "") -> DockerfileError:
        return DockerfileError(f"Git reference {self.text}: {problem}", hint=hint, word=self.text)
