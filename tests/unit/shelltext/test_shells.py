"""Which shells the normal form is for."""

import pytest
from imagebuild_engine.core.graph import ExecOp
from imagebuild_engine.core.shelltext import is_posix_shell, normal_args

from tests.support.lowering import image, last_run, lowered

SH = ("/bin/sh", "-c")


@pytest.mark.parametrize(
    "shell",
    [
        SH,
        ("sh", "-c"),
        ("/bin/bash", "-c"),
        ("/bin/bash", "-ec"),
        ("/bin/ash", "-exc"),
        ("dash", "-e", "-u", "-c"),
        ("/bin/bash", "-o", "pipefail", "-c"),
        ("/bin/bash", "-euxo", "pipefail", "-c"),
        ("/bin/bash", "-c", "-e"),
        ("/bin/busybox", "sh", "-c"),
        ("/bin/busybox", "ash", "-ec"),
    ],
)
def test_shells_that_we_know(shell: tuple[str, ...]) -> None:
    assert is_posix_shell(shell)


@pytest.mark.parametrize(
    "shell",
    [
        (),
        ("/bin/sh",),
        ("/bin/sh", "-e"),
        ("/bin/sh", "-"),
        ("/bin/sh", "--", "-c"),
        ("/bin/sh", "-vc"),
        ("/bin/sh", "-ic"),
        ("/bin/sh", "-sc"),
        ("/bin/sh", "-c", "exec"),
        ("/bin/bash", "-lc"),
        ("/bin/bash", "--login", "-c"),
        ("/bin/bash", "-o", "verbose", "-c"),
        ("/bin/bash", "-o", "-c"),
        ("/bin/bash", "-c", "-o"),
        ("/bin/bash", "-O", "extglob", "-c"),
        ("/bin/bash", "+e", "-c"),
        ("/usr/bin/env", "sh", "-c"),
        ("/bin/zsh", "-c"),
        ("/usr/bin/fish", "-c"),
        ("/bin/busybox",),
        ("/bin/busybox", "/bin/sh", "-c"),
        ("/bin/busybox", "env", "sh", "-c"),
        ("python3", "-c"),
        ("cmd", "/S", "/C"),
        ("powershell", "-Command"),
    ],
)
def test_shells_that_we_do_not_know_or_that_show_their_text(shell: tuple[str, ...]) -> None:
    assert not is_posix_shell(shell)
    assert normal_args(shell, "a  b", ()) is None


def test_the_last_argument_is_replaced() -> None:
    assert normal_args(SH, "a  b # c", ("PATH=/bin",)) == (*SH, "a b")


@pytest.mark.parametrize("text", ["a b", "ps  aux"])
def test_a_text_that_is_normal_or_doubtful_has_no_other_arguments(text: str) -> None:
    assert normal_args(SH, text, ()) is None


@pytest.mark.parametrize(
    "name", ["BASH_ENV", "BASH_FUNC_a%%", "SHELLOPTS", "BASHOPTS", "POSIXLY_CORRECT", "ENV", "PS4"]
)
def test_variables_that_shells_obey_forbid_it(name: str) -> None:
    assert normal_args(SH, "a  b", ("PATH=/bin", f"{name}=x")) is None


def normal_text(dockerfile: str) -> str | None:
    op = last_run(lowered(dockerfile))
    assert isinstance(op, ExecOp)
    return op.normal_args[-1] if op.normal_args else None


def test_continued_lines_of_a_dockerfile_may_be_indented_anew() -> None:
    one = "FROM base\nRUN a && \\\n    b \\\n    # a comment of the Dockerfile\n    c"
    other = "FROM base\nRUN a   && \\\n  b \\\n  c  # one of the shell"
    assert normal_text(one) == normal_text(other) == "a && b c"


def test_exec_form_and_other_shells_have_their_exact_text_only() -> None:
    assert normal_text('FROM base\nRUN ["/bin/sh", "-c", "a  b"]') is None
    assert normal_text('FROM base\nSHELL ["/bin/zsh", "-c"]\nRUN a  b') is None
    assert normal_text("FROM base\nENV BASH_ENV=/x\nRUN a  b") is None
    assert normal_text("FROM base\nARG SHELLOPTS=verbose\nRUN a  b") is None


def test_the_image_s_own_shell_counts() -> None:
    op = last_run(lowered("FROM base\nRUN a  b", image("base", shell=("/bin/bash", "-lc"))))
    assert op.normal_args is None
