"""`imagebuild build` as people run it: a real registry, real steps, both executors."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.workshop import EXECUTORS, NEEDS_A_REGISTRY, Workshop, opened_workshop
from tests.support.program import PROGRAM

pytestmark = NEEDS_A_REGISTRY


@pytest.fixture(params=EXECUTORS)
def workshop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workshop]:
    with opened_workshop(tmp_path, request.param) as made:
        yield made


def two_stages(workshop: Workshop) -> None:
    workshop.write("src/x", "x")
    workshop.write("a.txt", "hello\n")
    workshop.write(
        "Dockerfile",
        f"""FROM {workshop.base} AS build
WORKDIR /src
COPY src .
RUN cat x > out
FROM {workshop.base}
RUN echo hi > /hi
COPY --from=build /src/out /out
COPY a.txt /
USER me
CMD ["cat", "/out"]
""",
    )


def blobs_read(workshop: Workshop, mark: int) -> set[str]:
    """Blobs of layers that were downloaded since the mark; configs are read by everybody."""
    read = {
        item.path for item in workshop.registry.requests_after(mark) if item.method == "GET" and "/blobs/" in item.path
    }
    return {path.rpartition("/")[2] for path in read}


def test_a_full_hit_pulls_no_layer_and_ends_with_the_same_digest(workshop: Workshop) -> None:
    two_stages(workshop)
    first = workshop.build()
    assert set(first.outcomes.values()) == {"miss"}
    mark = len(workshop.registry.requests())
    second = workshop.build("--cache-from", workshop.ref("app:1"), tag="app:2")
    assert second.digest == first.digest
    assert set(second.outcomes.values()) == {"hit"}
    assert second.result["bytes"]["pulled"] == second.result["bytes"]["pushed"] == 0
    layers = {layer["digest"] for layer in manifest(workshop, "app:1")["layers"]}
    assert not blobs_read(workshop, mark) & layers
    (source,) = second.result["cache"]["sources"]
    assert (source["outcome"], source["matched"]) == ("used", 6)


def manifest(workshop: Workshop, tag: str) -> dict[str, Any]:
    import urllib.request

    repository, _, name = tag.partition(":")
    request = urllib.request.Request(
        f"http://{workshop.registry.host}/v2/{repository}/manifests/{name}",
        headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        value: dict[str, Any] = json.load(answer)
        return value


def test_one_changed_file_runs_its_copy_and_what_follows(workshop: Workshop) -> None:
    two_stages(workshop)
    workshop.build()
    workshop.write("a.txt", "changed\n")
    second = workshop.build("--cache-from", workshop.ref("app:1"))
    assert [name for name, outcome in second.outcomes.items() if outcome == "miss"] == ["COPY a.txt /"]


def test_touched_files_hit(workshop: Workshop) -> None:
    two_stages(workshop)
    first = workshop.build()
    for path in workshop.context.rglob("*"):
        os.utime(path, (1, 1))
    assert workshop.build("--cache-from", workshop.ref("app:1")).digest == first.digest


def test_the_third_build_from_the_second_ones_cache_is_the_same_image(workshop: Workshop) -> None:
    two_stages(workshop)
    first = workshop.build()
    second = workshop.build("--cache-from", workshop.ref("app:1"), tag="app:2")
    third = workshop.build("--cache-from", workshop.ref("app:2"), tag="app:3")
    assert first.digest == second.digest == third.digest


def test_processes_that_know_nothing_of_each_other_make_the_same_image(workshop: Workshop) -> None:
    two_stages(workshop)
    for tag, source in (("1", "none"), ("2", "app:1"), ("3", "app:2")):
        options = ["--push", "--tag", workshop.ref(f"app:{tag}"), "--cache-from", workshop.ref(source)]
        subprocess.run(
            [PROGRAM, "build", *options, str(workshop.context)],
            env={**workshop.environment, "PYTHONHASHSEED": tag},
            check=True,
            timeout=120,
        )
    assert manifest(workshop, "app:1") == manifest(workshop, "app:2") == manifest(workshop, "app:3")


def test_the_first_cache_source_that_has_a_step_wins(workshop: Workshop) -> None:
    two_stages(workshop)
    workshop.build(tag="old:1")
    workshop.build(tag="new:1")
    built = workshop.build("--cache-from", workshop.ref("old:1"), "--cache-from", workshop.ref("new:1"), tag="app:1")
    assert {step["source"] for step in built.result["steps"]} == {workshop.ref("old:1")}
    assert [source["outcome"] for source in built.result["cache"]["sources"]] == ["used", "unused"]


def test_broken_cache_sources_are_outcomes_and_never_fail_the_build(workshop: Workshop) -> None:
    two_stages(workshop)
    good = workshop.build(tag="good:1")
    sources = [workshop.ref("gone:1"), "127.0.0.1:1/none:1", workshop.base, workshop.ref("good:1")]
    built = workshop.build(*(part for source in sources for part in ("--cache-from", source)))
    assert built.digest == good.digest
    assert [source["outcome"] for source in built.result["cache"]["sources"]] == [
        "not_found",
        "error",
        "unused",
        "used",
    ]


def test_a_failing_step_says_which_and_shows_its_output(workshop: Workshop) -> None:
    workshop.write("Dockerfile", f"FROM {workshop.base}\nRUN echo before && cat /nothing-here\n")
    built = workshop.build()
    assert built.code == 11
    failure = built.result["failure"]
    assert (failure["reason"], failure["category"], failure["line"]) == ("StepFailed", "User", 2)
    assert "before" in failure["log_tail"]
    assert "nothing-here" in failure["log_tail"]
    assert ">>> RUN echo before" in built.log or "RUN echo before" in failure["excerpt"]


def test_a_build_that_fails_says_what_its_cache_sources_gave(workshop: Workshop) -> None:
    workshop.write("Dockerfile", f"FROM {workshop.base}\nRUN echo one > /one\n")
    workshop.build()
    workshop.write("Dockerfile", f"FROM {workshop.base}\nRUN echo one > /one\nRUN false\n")
    built = workshop.build("--cache-from", workshop.ref("app:1"), tag="app:2")
    (source,) = built.result["cache"]["sources"]
    assert (built.code, source["outcome"], source["matched"]) == (11, "used", 1)


@pytest.mark.parametrize(
    ("dockerfile", "code", "says"),
    [
        ("FROM {base}\nRUNN x\n", 10, "RUNN"),
        ("FROM {base}\nCOPY missing /\n", 12, "missing"),
        ("FROM {base}\nCOPY a[ /\n", 10, "a["),
        ("FROM {host}/no/such:1\nRUN true\n", 13, "no/such"),
        ("FROM {base}\nRUN --device=vendor.example/gpu true\n", 19, "not supported yet: RUN --device"),
        ("FROM --platform=linux/s390x {base}\nRUN true\n", 19, "it is for linux/s390x"),
        ("FROM {base}\nUSER nobody-here\nRUN true\n", 11, "nobody-here"),
    ],
)
def test_the_users_errors_have_codes_and_words(workshop: Workshop, dockerfile: str, code: int, says: str) -> None:
    workshop.write("Dockerfile", dockerfile.format(base=workshop.base, host=workshop.registry.host))
    built = workshop.build()
    assert built.code == code, built.log
    assert says in built.log


def test_dockerignored_files_neither_count_nor_arrive(workshop: Workshop) -> None:
    check = "RUN /bin/busybox test ! -e /app/secret && /bin/busybox test -e /app/keep"
    workshop.write("Dockerfile", f"FROM {workshop.base}\nCOPY . /app/\n{check}\n")
    workshop.write(".dockerignore", "secret\n")
    workshop.write("keep", "1")
    workshop.write("secret", "1")
    first = workshop.build()
    workshop.write("secret", "2")
    assert workshop.build("--cache-from", workshop.ref("app:1")).digest == first.digest


def test_steps_see_users_environment_and_directory(workshop: Workshop) -> None:
    workshop.write("f", "1")
    workshop.write(
        "Dockerfile",
        f"""FROM {workshop.base}
ARG WHO=me
ENV A=1
COPY --chown=me:more --chmod=640 f /f
USER $WHO
WORKDIR /work
RUN test "$(id -u):$(id -g)" = 1000:1000 && test "$A$WHO" = 1me && test "$(pwd)" = /work
RUN test "$(stat -c %u:%g:%a /f)" = 1000:1001:640 && test "$(stat -c %u /work)" = 1000
""".replace("test ", "/bin/busybox test "),
    )
    assert workshop.build().code == 0


def test_nothing_is_left_behind(workshop: Workshop) -> None:
    two_stages(workshop)
    workshop.build()
    assert str(workshop.folder) not in Path("/proc/mounts").read_text()
    assert not list(workshop.folder.glob("build-*"))


def test_an_oci_layout_is_written_whole(workshop: Workshop) -> None:
    two_stages(workshop)
    directory = workshop.folder / "layout"
    built = workshop.build("--output", f"type=oci,dest={directory},tar=false")
    index = json.loads((directory / "index.json").read_text())
    assert index["manifests"][0]["digest"] == built.digest
    shown = manifest(workshop, "app:1")
    for item in (shown["config"], *shown["layers"]):
        assert (directory / "blobs" / "sha256" / item["digest"].partition(":")[2]).stat().st_size == item["size"]


def test_cache_inspect_shows_the_records(workshop: Workshop) -> None:
    two_stages(workshop)
    workshop.build()
    shown = workshop.run("cache", "inspect", "--format", "json", workshop.ref("app:1"))
    records = json.loads(shown.stdout)["records"]
    layers = sorted(record["layers"][0] for record in records if record["layers"])
    assert layers[:3] == [1, 2, 3]  # the image's own; then those of the attached cache
    assert len(layers) == 6
    assert "COPY a.txt /" in workshop.run("cache", "inspect", workshop.ref("app:1")).stdout


def test_a_git_context_is_built_at_its_revision(workshop: Workshop) -> None:
    if not shutil.which("git"):
        pytest.skip("git is missing: install Debian's git")
    two_stages(workshop)

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        command = ["git", "-C", str(workshop.context), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    commit = git("rev-parse", "HEAD")
    workshop.write("a.txt", "not committed")
    metadata = workshop.folder / "metadata.json"
    done = workshop.run(
        *("build", "--push", "--tag", workshop.ref("git:1"), "--metadata-file", str(metadata)),
        f"file://{workshop.context}#main",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(metadata.read_text())["imagebuild.result"]["source_revision"] == commit


@pytest.mark.parametrize(
    "arguments",
    [
        ("--provenance", "true"),
        ("--cache-to", "type=gha"),
        ("--output", "type=local,dest=x"),
        ("--platform", "linux/amd64,linux/arm64"),
        ("--load",),
    ],
)
def test_options_that_are_not_there_yet_are_refused_by_name(workshop: Workshop, arguments: tuple[str, ...]) -> None:
    workshop.write("Dockerfile", f"FROM {workshop.base}\n")
    done = workshop.run("build", *arguments, str(workshop.context))
    assert done.returncode in (2, 19)
    assert "not supported yet" in done.stderr


def test_a_step_whose_comments_and_blanks_changed_is_a_hit_with_the_same_layers(workshop: Workshop) -> None:
    def write(first: str, second: str) -> None:
        workshop.write("Dockerfile", f"FROM {workshop.base}\nRUN {first}\nRUN {second}\n")

    write("echo  'a  #' > /a &&   echo b # one", "cat  /a > /b")
    first = workshop.build()
    write("echo 'a  #'   > /a && \\\n      echo b # another, it's new", "cat /a > /b # new")
    second = workshop.build("--cache-from", workshop.ref("app:1"), tag="app:2")
    assert set(second.outcomes.values()) == {"hit"}
    assert second.result["bytes"]["pulled"] == 0
    assert manifest(workshop, "app:2")["layers"] == manifest(workshop, "app:1")["layers"]
    assert second.digest != first.digest  # its history shows the Dockerfile as it is now, and its records the new text
    third = workshop.build("--cache-from", workshop.ref("app:2"), tag="app:3")
    assert third.digest == second.digest
    write("echo  'a  #' > /a &&   echo b # one", "cat  /a > /b")
    assert workshop.build("--cache-from", workshop.ref("app:2"), tag="app:4").digest == first.digest
    write("echo 'a #' > /a && echo b", "cat /a > /b")
    changed = workshop.build("--cache-from", workshop.ref("app:1"), tag="app:5")
    assert set(changed.outcomes.values()) == {"miss"}


def test_a_heredoc_whose_comments_changed_is_a_hit_with_the_same_layers(workshop: Workshop) -> None:
    def write(*lines: str) -> None:
        workshop.write("Dockerfile", "\n".join([f"FROM {workshop.base}", "RUN <<EOF", *lines, "EOF", ""]))

    write("set -e", "if true; then # always", "  echo a > /a", "fi")
    workshop.build()
    write("# It's new.", "set -e", "", "if   true; then", "    echo a > /a # not b", "fi")
    second = workshop.build("--cache-from", workshop.ref("app:1"), tag="app:2")
    assert set(second.outcomes.values()) == {"hit"}
    assert manifest(workshop, "app:2")["layers"] == manifest(workshop, "app:1")["layers"]
    write("set -e", "if true; then", "  echo 'a' > /a", "fi")
    assert set(workshop.build("--cache-from", workshop.ref("app:1"), tag="app:3").outcomes.values()) == {"miss"}


def test_linked_layers_lie_between_others_and_are_hits_later(workshop: Workshop) -> None:
    workshop.write("a", "linked\n")
    workshop.write("b", "over it\n")
    workshop.write(
        "Dockerfile",
        f"""FROM {workshop.base}
RUN mkdir -p /etc/app/a && echo old > /etc/app/a/old
COPY --link a /etc/app/
RUN test "$(cat /etc/app/a)" = linked && echo more > /etc/app/c
COPY --link b /etc/app/a
RUN test "$(cat /etc/app/a)" = "over it" && test "$(cat /etc/app/c)" = more
""",
    )
    first = workshop.build()
    assert set(first.outcomes.values()) == {"miss"}
    again = workshop.build("--cache-from", workshop.ref("app:1"), tag="app:2")
    assert set(again.outcomes.values()) == {"hit"}
    assert (again.digest, again.result["bytes"]["pulled"]) == (first.digest, 0)
