"""What people read while a build runs."""

import base64
import io
import json
from datetime import UTC, datetime

import pytest
from imagebuild_engine.build.progress import (
    BuildDone,
    Notice,
    PhaseDone,
    PhaseStarted,
    PlainView,
    QuietView,
    RawJsonView,
    StepDone,
    StepOutput,
    StepStarted,
)
from imagebuild_engine.build.progress.live import LiveView
from imagebuild_engine.contract import (
    BuildResult,
    Bytes,
    CacheExportResult,
    CacheResult,
    CacheSourceResult,
    MissReason,
    Seconds,
    StepResult,
)
from imagebuild_engine.core.amounts import size
from rich.console import Console

STEP = {"number": 3, "total": 4, "text": "RUN make"}
MISSED = StepResult(
    number=4,
    stage="",
    line=9,
    instruction="COPY src/ .",
    outcome="miss",
    reason=MissReason.FILES_CHANGED,
    detail=("src/main.c", "src/util.c"),
    more=3,
    compared_with="reg/app@sha256:77d0",
)
DONE = BuildDone(
    result=BuildResult(
        steps=(
            StepResult(number=3, stage="", line=8, instruction="RUN make", outcome="hit", saved_seconds=184.0),
            MISSED,
        ),
        cache=CacheResult(
            total=4,
            hits=3,
            misses=1,
            sources=(
                CacheSourceResult(ref="reg/app:1", outcome="used", digest="sha256:77d0", matched=3),
                CacheSourceResult(ref="reg/old:1", outcome="not_found", reason="no such tag"),
            ),
            exports=(CacheExportResult(type="attached", outcome="exported", ref="reg/app", pushed=1000),),
        ),
        bytes=Bytes(pulled=46_900_000, pushed=1234),
        seconds=Seconds(total=2.04),
    )
)


def said(*events: object, view: type[PlainView | QuietView] = PlainView) -> list[str]:
    stream = io.StringIO()
    shown = view(stream)
    for event in events:
        shown.show(event)  # type: ignore[arg-type]
    shown.close()
    return stream.getvalue().splitlines()


def test_every_line_of_a_step_bears_its_number() -> None:
    lines = said(
        StepStarted(**STEP), StepOutput(number=3, line="cc main.c"), StepDone(**STEP, outcome="miss", seconds=1.26)
    )
    assert lines == ["#3 RUN make", "#3 | cc main.c", "#3 DONE 1.3s"]


def test_a_hit_names_its_source_and_what_it_saved() -> None:
    assert said(StepDone(**STEP, outcome="hit", source="reg/app:1")) == ["#3 RUN make", "#3 CACHED from reg/app:1"]
    assert said(StepDone(**STEP, outcome="hit", source="reg/app:1", saved=184.0)) == [
        "#3 RUN make",
        "#3 CACHED from reg/app:1, 3 min 4 s saved",
    ]


def test_a_miss_says_why_when_it_begins() -> None:
    assert said(StepStarted(**STEP, why="FilesChanged: src/\x1b[2Jmain.c (+3)")) == [
        "#3 RUN make",
        "#3 MISS FilesChanged: src/main.c (+3)",
    ]


def test_what_a_step_prints_cannot_repaint_the_terminal() -> None:
    lines = said(StepOutput(number=1, line="\x1b[2J\x1b]0;title\x07harm\x08less\r"))
    assert lines == ["#1 | harmless"]


def test_the_last_lines_sum_up() -> None:
    assert said(DONE) == [
        "-- cache source reg/app:1@sha256:77d0: 3 steps",
        "-- cache source reg/old:1: not found (no such tag)",
        "-- attached cache reg/app: exported, 1.0 kB pushed",
        "-- first miss: step 4, COPY src/ .: FilesChanged: src/main.c, src/util.c (+3) "
        "(compared with reg/app@sha256:77d0)",
        "-- 3 of 4 steps from the cache, 3 min 4 s saved; 46.9 MB pulled, 1.2 kB pushed, 0 B reused; 2.0 s",
    ]


def test_raw_json_is_what_buildkits_clients_read() -> None:
    stream = io.StringIO()
    moments = iter(datetime(2026, 1, 1, 12, 0, second, tzinfo=UTC) for second in range(60))
    view = RawJsonView(stream, now=lambda: next(moments))
    for event in (
        PhaseStarted(name="build"),
        StepStarted(**STEP, why="ParentMissed"),
        StepOutput(number=3, line="cc main.c"),
        StepDone(**STEP, outcome="miss", seconds=1.0),
        StepDone(number=4, total=4, text="COPY . .", outcome="hit", source="reg/app:1"),
        StepStarted(number=2, total=4, text="RUN false"),
        Notice(text="lost", warning=True),
        PhaseDone(name="build", seconds=1.0),
    ):
        view.show(event)
    view.close()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [next(iter(line)) for line in lines] == [
        *("vertexes", "vertexes", "statuses", "logs", "vertexes", "vertexes", "vertexes", "vertexes", "warnings"),
        *("vertexes", "vertexes"),
    ]
    (started,), (done,) = lines[1]["vertexes"], lines[4]["vertexes"]
    assert started == {"digest": started["digest"], "name": "RUN make", "started": "2026-01-01T12:00:01Z"}
    assert done == started | {"completed": "2026-01-01T12:00:04Z"}
    assert (lines[2]["statuses"][0]["id"], lines[2]["statuses"][0]["vertex"]) == ("MISS ParentMissed", done["digest"])
    assert base64.b64decode(lines[3]["logs"][0]["data"]) == b"cc main.c\n"
    assert lines[6]["vertexes"][0]["cached"] is True
    assert base64.b64decode(lines[8]["warnings"][0]["short"]) == b"lost"
    assert (lines[10]["vertexes"][0]["name"], bool(lines[10]["vertexes"][0]["error"])) == ("RUN false", True)
    digests = {vertex["digest"] for line in lines for vertex in line.get("vertexes", ())}
    assert len(digests) == 4


def test_quiet_lets_only_warnings_through() -> None:
    assert said(DONE, Notice(text="so"), Notice(text="lost", warning=True), view=QuietView) == ["warning: lost"]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        *((0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB")),
        *((5 * 10**9, "5.0 GB"), (10**16, "10000.0 TB")),
    ],
)
def test_sizes_are_written_as_docker_writes_them(count: int, text: str) -> None:
    assert size(count) == text


def test_the_live_view_leaves_finished_steps_and_the_sum() -> None:
    stream = io.StringIO()
    view = LiveView(Console(file=stream, force_terminal=True, width=100, color_system=None))
    view.show(StepStarted(**STEP, why="ParentMissed"))
    view.show(StepOutput(number=3, line="\x1b[2Jcc main.c"))
    view.show(StepDone(**STEP, outcome="miss", seconds=1.0))
    view.show(DONE)
    view.close()
    assert "1.0s RUN make  ParentMissed" in stream.getvalue()
    assert "3 of 4 steps from the cache" in stream.getvalue()
    assert "\x1b[2Jcc" not in stream.getvalue()
