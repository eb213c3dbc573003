"""For each reason of a miss one thing is changed, and exactly that reason is given, with its detail."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from imagebuild_engine.core.explain import Components
from imagebuild_engine.core.miss import MissReason
from imagebuild_engine.core.oci import Platform

from tests.support.explained_world import REF, Build, Kept, build, kept
from tests.support.lowering import BASE, PATH, image

FILE = """FROM base AS build
ARG VERSION=1
ENV MODE=fast
WORKDIR /src
COPY src src
RUN --mount=type=secret,id=token make
FROM base
RUN setup
COPY --from=build /out /out
COPY a.txt /
"""
FILES: dict[str, Any] = {"src/main.c": "main", "src/util.c": "util", "a.txt": "hello", "run.sh": ("go", 0o644)}


@pytest.fixture(scope="module")
def first() -> Build:
    return build(FILE, FILES)


def again(first: Build, dockerfile: str = FILE, files: dict[str, Any] = FILES, **options: Any) -> Build:
    """The second build, from the cache of the first, of which every reason names what it was compared with."""
    cache = first.cache()
    second = build(dockerfile, files, cache, **options)
    compared = f"{REF}@{cache.imported.digest}"
    assert {miss.compared_with for miss in second.misses.values()} <= {compared}
    return second


def told(built: Build) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {text: (str(miss.reason), miss.detail) for text, miss in built.misses.items()}


COPY, MAKE, FROM_BUILD = "COPY src src", "RUN --mount=type=secret,id=token make", "COPY --from=build /out /out"


def test_nothing_is_to_explain_where_all_steps_are_found(first: Build) -> None:
    assert told(again(first)) == {}


def test_a_changed_file_is_named_and_what_follows_names_its_parent(first: Build) -> None:
    found = told(again(first, files={**FILES, "src/main.c": "other"}))
    assert found == {
        COPY: ("FilesChanged", ("src/main.c",)),
        MAKE: ("ParentMissed", (f"step 2: {COPY}",)),
        FROM_BUILD: ("FilesChanged", ("/out",)),
        "COPY a.txt /": ("ParentMissed", (f"step 5: {FROM_BUILD}",)),
    }


def test_a_new_and_a_missing_file_are_named(first: Build) -> None:
    files = {**FILES, "src/new.c": "new"}
    del files["src/util.c"]
    found = told(again(first, files=files))
    assert found[COPY] == ("FilesChanged", ("src/new.c (added)", "src/util.c (removed)"))


def test_of_many_files_five_are_named_and_the_others_counted(first: Build) -> None:
    miss = again(first, files={**FILES, **{f"src/{number}.c": "x" for number in range(12)}}).miss(COPY)
    assert (len(miss.detail), miss.more) == (5, 7)


def test_a_changed_mode_is_told_from_changed_bytes() -> None:
    text = "FROM base\nCOPY run.sh /\n"
    one = build(text, FILES)
    found = told(again(one, text, {**FILES, "run.sh": ("go", 0o755)}))
    assert found == {"COPY run.sh /": ("FileModeChanged", ("run.sh (mode 644 → 755)",))}
    assert told(again(one, text, {**FILES, "run.sh": ("no", 0o755)})) == {
        "COPY run.sh /": ("FilesChanged", ("run.sh",))
    }


def test_a_changed_build_argument_is_named(first: Build) -> None:
    found = told(again(first, args={"VERSION": "2"}))
    assert found[MAKE] == ("BuildArgChanged", ("VERSION",))
    assert COPY not in found


def test_a_changed_variable_is_named(first: Build) -> None:
    found = told(again(first, FILE.replace("MODE=fast", "MODE=slow")))
    assert found[MAKE] == ("EnvironmentChanged", ("MODE",))
    assert COPY not in found


def test_a_variable_more_or_less_is_named(first: Build) -> None:
    found = told(again(first, FILE.replace("ENV MODE=fast", "ENV MODE=fast MORE=1")))
    assert found[MAKE] == ("EnvironmentChanged", ("MORE (added)",))
    found = told(again(first, FILE.replace("ENV MODE=fast\n", "")))
    assert found[MAKE] == ("EnvironmentChanged", ("MODE (removed)",))


def test_an_argument_is_named_where_only_the_text_of_a_copy_is_expanded_with_it() -> None:
    text = "FROM base\nARG UNUSED=1\nARG FROM=a\nARG DIR=$FROM\nENV TO=$DIR\nCOPY $TO.txt /\n"
    one = build(text, {"a.txt": "1", "b.txt": "2"})
    two = again(one, text, {"a.txt": "1", "b.txt": "2"}, args={"FROM": "b", "UNUSED": "2"})
    assert told(two) == {"COPY $TO.txt /": ("BuildArgChanged", ("DIR", "FROM"))}


def test_a_changed_base_image_is_named_with_both_digests(first: Build) -> None:
    request, pinned = next(iter(BASE.items()))
    _, other = next(iter(image("other", env=(PATH, "BASE=2")).items()))
    digest = other.digest
    images = {request: replace(other, reference=pinned.reference.with_digest(digest))}
    images = {request: replace(images[request], config=replace(other.config, diff_ids=(digest,)))}
    found = told(again(first, images=images))
    change = ("BaseImageChanged", (f"base:latest@{pinned.digest} → base:latest@{digest}",))
    assert found["WORKDIR /src"] == found["RUN setup"] == change
    assert found["COPY a.txt /"][0] == "ParentMissed"


def test_a_changed_text_is_told_as_it_was_and_as_it_is(first: Build) -> None:
    found = told(again(first, FILE.replace("RUN setup", "RUN setup --all")))
    assert found["RUN setup --all"] == ("InstructionChanged", ("RUN setup → RUN setup --all",))
    assert found[FROM_BUILD] == ("ParentMissed", ("step 4: RUN setup --all",))


@pytest.mark.parametrize(
    ("line", "name"), [("USER 7", "USER"), ("WORKDIR /else", "WORKDIR"), ('SHELL ["/bin/bash", "-c"]', "SHELL")]
)
def test_what_else_a_step_depends_on_is_named(line: str, name: str) -> None:
    text = "FROM base\nRUN make\n"
    found = told(again(build(text), text.replace("RUN", f"{line}\nRUN")))
    reason, detail = found["RUN make"]
    assert reason == "InstructionChanged"
    assert name in detail[0]


def test_another_stage_to_copy_from_is_a_changed_text(first: Build) -> None:
    text = FILE.replace("FROM base\nRUN setup", "FROM base AS third\nRUN third\nFROM base\nRUN setup")
    found = told(again(first, text.replace("--from=build", "--from=third")))
    assert found["COPY --from=third /out /out"] == (
        "InstructionChanged",
        ("COPY --from=build /out /out → COPY --from=third /out /out",),
    )


def test_the_changed_id_of_a_secret_is_named(first: Build) -> None:
    found = told(again(first, FILE.replace("id=token", "id=key")))
    assert found["RUN --mount=type=secret,id=key make"] == ("SecretIdChanged", ("secret:token → secret:key",))


def test_a_step_that_was_not_there_is_new(first: Build) -> None:
    found = told(again(first, FILE.replace("RUN setup\n", "RUN setup\nRUN more\n")))
    assert found["RUN more"] == ("StepNew", ())
    assert found[FROM_BUILD] == ("ParentMissed", ("step 5: RUN more",))


def test_a_step_left_out_and_another_stage_below_are_told(first: Build) -> None:
    found = told(again(first, FILE.replace("RUN setup\n", "")))
    assert found[FROM_BUILD] == ("InstructionChanged", (f"{FROM_BUILD}: a step below it is gone",))
    text = "FROM base AS one\nRUN one\nFROM base AS two\nRUN two\n"
    found = told(again(build(text), text.replace("FROM base AS two", "FROM one AS two"), {}))
    digest = next(iter(BASE.values())).digest
    assert found["RUN one"] == ("StepNew", ())
    assert found["RUN two"] == ("BaseImageChanged", (f"base:latest@{digest} → stage one",))


def test_without_a_cache_there_is_no_source(first: Build) -> None:
    assert {miss.reason for miss in first.misses.values()} == {MissReason.NO_CACHE_SOURCE}


def test_what_may_not_come_from_a_cache_says_so(first: Build) -> None:
    second = build(FILE, FILES, first.cache(), no_cache=True)
    assert {miss.reason for miss in second.misses.values()} == {MissReason.CACHE_DISABLED}
    second = build(FILE, FILES, first.cache(), no_cache_stages=frozenset({"build"}))
    assert {miss.reason for miss in second.misses.values()} == {MissReason.CACHE_DISABLED}


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("not_found", MissReason.SOURCE_NOT_FOUND),
        ("unauthorized", MissReason.SOURCE_UNAUTHORIZED),
        ("untrusted", MissReason.SOURCE_UNTRUSTED),
        ("invalid", MissReason.METADATA_INVALID),
        ("timeout", MissReason.SOURCE_UNAVAILABLE),
        ("error", MissReason.SOURCE_UNAVAILABLE),
        ("unused", MissReason.NO_INLINE_METADATA),
    ],
)
def test_a_source_that_brings_nothing_is_why(outcome: str, reason: MissReason) -> None:
    miss = build(FILE, FILES, kept(outcome, "because")).first
    assert miss.reason is reason
    assert REF in miss.detail[0]


def test_a_cache_for_another_platform_is_no_use(first: Build) -> None:
    cache = first.cache()
    other = cache.changed(platform=Platform("linux", "arm64"), records=())
    miss = build(FILE, FILES, other).first
    assert (miss.reason, miss.detail) == (MissReason.PLATFORM_MISMATCH, ("linux/arm64 → linux/amd64",))


def test_components_of_another_version_say_so(first: Build) -> None:
    other = first.cache().changed(components=Components(version=2), records=())
    assert build(FILE, FILES, other).first.reason is MissReason.FORMAT_VERSION_MISMATCH


def test_a_step_whose_layer_was_not_kept_says_so(first: Build) -> None:
    cache = first.cache(without={COPY, "WORKDIR /src", MAKE})
    second = build(FILE.replace("make", "make all"), FILES, cache)
    miss = second.miss(COPY)
    assert (miss.reason, miss.detail) == (
        MissReason.INTERMEDIATE_STAGE_NOT_EXPORTED,
        ("the cache knows the step, but has not its layer",),
    )


def test_a_layer_that_is_gone_is_missing(first: Build) -> None:
    miss = build(FILE, FILES, first.cache(), gone={0}).miss("COPY a.txt /")
    assert (miss.reason, miss.detail) == (MissReason.BLOB_MISSING, ("its layers are gone",))


def test_records_that_are_too_old_have_expired(first: Build) -> None:
    cache = first.cache()
    keys = frozenset(record.digest for record in cache.imported.index.records)
    expired = cache.changed(records=())
    expired = Kept(replace(expired.imported, expired=keys), ())
    second = build(FILE, FILES, expired)
    assert {miss.reason for miss in second.misses.values()} == {MissReason.EXPIRED}
    other = build(FILE, {**FILES, "src/main.c": "other"}, expired)
    assert other.miss(COPY).reason is MissReason.FILES_CHANGED


def test_what_rests_on_nothing_cannot_be_cached() -> None:
    text = "FROM scratch\nWORKDIR /a\nCOPY a.txt .\n"
    second = build(text, {**FILES, "a.txt": "other"}, build(text, FILES).cache())
    assert told(second)["COPY a.txt ."] == ("FilesChanged", ("a.txt",))
    assert second.miss("WORKDIR /a").reason is MissReason.UNCACHEABLE


def test_every_reason_is_explained_on_its_page() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/miss-reasons.md").read_text()
    assert [reason for reason in MissReason if f"`{reason}`" not in page] == []


def test_every_reason_is_given_by_some_test_of_this_file() -> None:
    text = Path(__file__).read_text()
    assert [reason for reason in MissReason if f'"{reason}"' not in text and reason.name not in text] == []
