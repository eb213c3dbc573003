"""What BuildKit 0.34.2's own functions answered about words, heredocs, modes, mounts, Git references and sizes.

The inputs are ours. `buildkit_words.json` has the answers: its shell lexer, parseMount, ParseGitRef, dchapes-mode and
RAMInBytes were asked once; a text that they refuse must be refused here as well.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from imagebuild_engine.core.dockerfile import (
    DockerfileError,
    expand,
    expand_document,
    expand_mount,
    expand_words,
    parse_git_reference,
    parse_mode,
)
from imagebuild_engine.core.dockerfile.mounts import read_mount
from imagebuild_engine.core.dockerfile.scalars import parse_size

FACTS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[2] / "golden" / "dockerfile" / "buildkit_words.json").read_text()
)
ENV = {"A": "abcabc", "B": "x y", "E": "", "P": "a/b/c.tar.gz", "T": "cache", "Q": "'q\"", "D": "$A", "U": "naïve/日本"}
MODES = [(mode, directory) for mode in (0o644, 0o755, 0o000, 0o7777, 0o6411) for directory in (False, True)]
REFUSED = {"refused": True}


def facts(name: str, key: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fact", [pytest.param(fact, id=fact[key][:40] or "empty") for fact in FACTS[name]])


@facts("expand", "word")
def test_words(fact: dict[str, Any]) -> None:
    if fact["result"] == REFUSED:
        with pytest.raises(DockerfileError):
            expand(fact["word"], ENV)
        return
    assert expand(fact["word"], ENV) == fact["result"]["text"]
    if "${" not in fact["word"]:  # see expand.py: there BuildKit may lose a word's beginning
        assert expand_words(fact["word"], ENV) == (fact["result"]["words"] or [])


@facts("documents", "text")
def test_bodies_of_heredocs(fact: dict[str, Any]) -> None:
    if fact["result"] == REFUSED:
        with pytest.raises(DockerfileError):
            expand_document(fact["text"], ENV)
        return
    assert expand_document(fact["text"], ENV) == fact["result"]


@facts("modes", "text")
def test_modes(fact: dict[str, Any]) -> None:
    if fact["result"] is None:
        with pytest.raises(DockerfileError):
            parse_mode(fact["text"])
        return
    mode = parse_mode(fact["text"])
    assert " ".join(f"{mode.apply(old, directory):o}" for old, directory in MODES) == fact["result"]


@facts("mounts", "text")
def test_mounts(fact: dict[str, Any]) -> None:
    if "refused" in fact["result"]:
        with pytest.raises(DockerfileError):
            expand_mount(read_mount(fact["text"]), lambda word: expand(word, ENV))
        return
    mount = expand_mount(read_mount(fact["text"]), lambda word: expand(word, ENV))
    expected = {"CacheSharing": "shared"} | fact["result"]
    actual = {
        "Type": mount.type,
        "From": mount.from_,
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.readonly,
        "SizeLimit": mount.size,
        "CacheID": mount.id,
        "CacheSharing": mount.sharing,
        "Required": mount.required,
        "Env": mount.env,
        "Mode": mount.mode,
        "UID": mount.uid,
        "GID": mount.gid,
    }
    assert {key: value for key, value in actual.items() if value or key == "ReadOnly"} == expected


@facts("git", "text")
def test_git_references(fact: dict[str, Any]) -> None:
    if fact["result"] == "wrong":
        with pytest.raises(DockerfileError, match="Git reference"):
            parse_git_reference(fact["text"])
        return
    reference = parse_git_reference(fact["text"])
    if fact["result"] is None:
        assert reference is None
        return
    assert reference is not None
    actual = {
        "Remote": reference.remote,
        "ShortName": reference.short_name,
        "Ref": reference.ref,
        "Checksum": reference.checksum,
        "SubDir": reference.subdir,
        "IndistinguishableFromLocal": reference.like_a_path,
        "UnencryptedTCP": reference.unencrypted,
        "KeepGitDir": reference.keep_git_dir,
        "Submodules": reference.submodules,
        "MTime": reference.mtime,
        "FetchByCommit": reference.fetch_by_commit,
    }
    assert {key: value for key, value in actual.items() if value not in ("", None)} == fact["result"]


@facts("sizes", "text")
def test_sizes(fact: dict[str, Any]) -> None:
    assert parse_size(fact["text"]) == fact["result"]


def test_there_are_answers_of_each_kind() -> None:
    assert {name: len(rows) >= 16 for name, rows in FACTS.items()} == dict.fromkeys(
        ("expand", "documents", "modes", "mounts", "git", "sizes"), True
    )
