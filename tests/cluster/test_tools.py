"""Go tools and Debian packages: which Go, which flags, when to build anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import debian, tools
from tests.cluster.tools import MODULES, TOOLS, Tool, ToolError

MANIFEST = """\
module imagebuild.dev/tests/cluster/example

go 1.26.0

tool example.org/big/cmd/thing

require (
\texample.org/big v1.2.3
\texample.org/big/api v0.9.0 // indirect
)

replace example.org/api => example.org/api v9.9.9
"""


def fake_go(folder: Path, version: str) -> str:
    folder.mkdir()
    program = folder / "go"
    program.write_text(f"#!/bin/sh\necho go version {version} linux/amd64\n")
    program.chmod(0o755)
    return str(program)


def test_first_go_that_is_new_enough_is_taken(tmp_path: Path) -> None:
    places = [
        str(tmp_path / "absent" / "go"),
        fake_go(tmp_path / "old", "go1.19.8"),
        fake_go(tmp_path / "new", "go1.27.3"),
    ]
    found = tools.find_go("1.26.8", places)
    assert found.version == "go1.27.3"
    assert found.command == tmp_path / "new" / "go"


def test_without_a_go_the_message_says_what_there_is_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"Go 1\.26\.8 or newer is needed .*go1\.19\.8.*make install"):
        tools.find_go("1.26.8", [fake_go(tmp_path / "old", "go1.19.8")])


@pytest.mark.parametrize(("older", "newer"), [("go1.9", "go1.10"), ("1.26", "go1.26.8"), ("go1.26.8", "go1.27rc1")])
def test_versions_compare_as_numbers(older: str, newer: str) -> None:
    assert tools.version_tuple(older) < tools.version_tuple(newer)


def test_version_is_of_the_longest_module_that_holds_the_package() -> None:
    assert tools.module_version(MANIFEST, "example.org/big/cmd/thing") == "1.2.3"
    assert tools.module_version(MANIFEST, "example.org/big/api/cmd") == "0.9.0"
    assert tools.module_version(MANIFEST, "example.org/bigger") == ""
    assert tools.module_version(MANIFEST, ".") == ""


def test_version_reaches_the_linker() -> None:
    tool = Tool(name="thing", module="m", package="example.org/big/cmd/thing", variables={"main.v": "{version}"})
    arguments = tools.build_arguments(tool, MANIFEST, Path("/out/thing"))
    assert arguments[arguments.index("-ldflags") + 1] == "-s -w -X main.v=v1.2.3"
    assert arguments[-1] == "example.org/big/cmd/thing"


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_every_tool_is_required_by_its_modules_manifest(name: str) -> None:
    tool = TOOLS[name]
    manifest = (MODULES / tool.module / "go.mod").read_text()
    if tool.package.startswith("."):
        assert list((MODULES / tool.module / tool.package).glob("*.go"))
    else:
        assert tool.package in manifest
        assert tools.module_version(manifest, tool.package)
    assert tools.version_tuple(tools.required_go(manifest)) >= (1, 26)


def test_fingerprint_changes_with_sources_sums_and_go(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text(MANIFEST)
    prints = [tools.fingerprint(tmp_path, "go1.26.8"), tools.fingerprint(tmp_path, "go1.27.0")]
    (tmp_path / "go.sum").write_text("x\n")
    prints.append(tools.fingerprint(tmp_path, "go1.26.8"))
    (tmp_path / "main.go").write_text("package main\n")
    prints.append(tools.fingerprint(tmp_path, "go1.26.8"))
    assert len(set(prints)) == 4
    (tmp_path / "README").write_text("does not matter\n")
    assert tools.fingerprint(tmp_path, "go1.26.8") == prints[-1]


def test_unknown_tool_is_refused_by_name() -> None:
    with pytest.raises(ToolError, match="no such tool: rnuc"):
        tools.build(["rnuc"])


def test_starts_as_a_file_from_anywhere(tmp_path: Path) -> None:
    command = [sys.executable, tools.__file__, "path", "no-such-tool"]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "invalid choice" in done.stderr


def test_package_list_has_the_purposes_that_are_asked_for() -> None:
    groups = debian.parse(debian.LIST.read_text())
    assert {"build", "cluster", "images", "interop"} <= set(groups)
    assert all(groups.values())


def test_package_list_with_a_name_before_any_purpose_is_refused() -> None:
    with pytest.raises(ValueError, match=r"packages\.txt:2"):
        debian.parse("# nothing\ngcc\n")


def test_wanted_names_come_once_and_in_order() -> None:
    groups = {"a": ("x", "y"), "b": ("y", "z")}
    assert debian.wanted((), groups) == ("x", "y", "z")
    assert debian.wanted(("b",), groups) == ("y", "z")
    with pytest.raises(ValueError, match="no such purpose: c"):
        debian.wanted(("c",), groups)


def test_absent_package_is_missing_and_an_essential_one_is_not() -> None:
    assert debian.missing(("bash", "no-such-package-at-all")) == ("no-such-package-at-all",)


def test_services_stay_off_only_while_installing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(debian, "POLICY", policy)
    with debian.services_stay_off():
        assert subprocess.run([policy], check=False).returncode == 101
    assert not policy.exists()
    policy.write_text("somebody else's\n")
    with debian.services_stay_off():
        assert policy.read_text() == "somebody else's\n"
    assert policy.read_text() == "somebody else's\n"
