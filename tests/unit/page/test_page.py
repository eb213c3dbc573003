"""The page as a reader of HTML sees it: whole, harmless, and with everything in it."""

import base64
import hashlib
import os
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imagebuild_engine.contract import BuildResult, CacheSourceResult, MissReason, Reason, StepResult, failure
from imagebuild_engine.page import page
from imagebuild_engine.page.markup import Html, element
from imagebuild_engine.page.reasons import MEANING
from imagebuild_engine.page.style import DARK, LIGHT, TEXT_COLOURS
from msgspec.structs import replace as changed

from tests.support.reports import (
    RESULTS,
    all_hits,
    failed_build,
    forty_steps,
    hit,
    hostile,
    miss,
    mixed,
    result_of,
)

GOLDEN = Path(__file__).parents[2] / "golden/page.html"
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "div", "p", "span")
}
ELEMENTS |= {
    *("b", "small", "code", "pre", "dl", "dt", "dd", "ol", "ul", "li", "a", "details", "summary", "h1", "h2", "h3")
}
ELEMENTS |= {*("svg", "line", "path", "circle", "rect")}
ATTRIBUTES = {*("lang", "charset", "http-equiv", "content", "name", "id", "class", "href", "tabindex", "role")}
ATTRIBUTES |= {*("aria-labelledby", "aria-label", "aria-hidden", "focusable")}
ATTRIBUTES |= {*("width", "height", "x", "y", "rx", "x1", "y1", "x2", "y2", "cx", "cy", "r", "d")}
VOID = frozenset({"meta"})


class Parsed(HTMLParser):
    """All elements with their attributes, and all text that is no style."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.style = ""
        self._open: list[str] = []
        self.feed(data.decode())
        self.close()
        assert self._open == [], "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.style += data
        else:
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"there is no comment on the page: {data}")

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def attributes(self, name: str) -> Iterator[str]:
        for _tag, attributes in self.elements:
            if name in attributes:
                yield attributes[name] or ""


def assert_sound(data: bytes) -> Parsed:
    """Nothing on the page but what we put there, and nothing that would be loaded."""
    parsed = Parsed(data)
    for tag, attributes in parsed.elements:
        assert tag in ELEMENTS
        assert attributes.keys() <= ATTRIBUTES, f"{tag}: {attributes}"
    ids = list(parsed.attributes("id"))
    assert len(set(ids)) == len(ids), "an id stands twice"
    for target in parsed.attributes("href"):
        assert target.startswith("#")
        assert target[1:] in ids, f"{target} leads nowhere"
    for labels in parsed.attributes("aria-labelledby"):
        assert labels in ids
    allowed = base64.b64encode(hashlib.sha256(parsed.style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'" in list(
        parsed.attributes("content")
    )
    assert "url(" not in parsed.style
    assert "@import" not in parsed.style
    return parsed


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_a_page_has_nothing_but_ours(result: Callable[[], BuildResult]) -> None:
    assert_sound(page(result()))


TEXTS = st.text(st.characters(codec=None), max_size=40) | st.sampled_from(
    ["</style>", "<script>", "-->", "<!--", "]]>", '" onload="', "' x='", "&lt;script&gt;", "&#x3c;", "<svg/onload=1>"]
)


@settings(max_examples=60)
@given(TEXTS, TEXTS, TEXTS, st.integers(-5, 40), st.lists(st.integers(-3, 9), max_size=4))
def test_no_text_becomes_markup(first: str, second: str, third: str, number: int, inputs: list[int]) -> None:
    steps = (
        hit(1, first, second, saved=2.0),
        miss(number, second, third, *inputs, reason=MissReason.FILES_CHANGED, detail=(first, third), more=number),
    )
    assert_sound(page(result_of(steps)))


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-1, 8)
TIMES = st.floats(allow_nan=False, allow_infinity=False)
STEPS = st.builds(
    StepResult,
    number=NUMBERS,
    inputs=st.lists(NUMBERS, max_size=5).map(tuple),
    stage=TEXTS,
    line=NUMBERS,
    instruction=TEXTS,
    outcome=st.sampled_from(["hit", "miss", "uncacheable"]),
    source=st.none() | TEXTS,
    reason=st.none() | st.sampled_from(MissReason),
    detail=st.lists(TEXTS, max_size=7).map(tuple),
    more=NUMBERS,
    compared_with=TEXTS,
    seconds=TIMES,
    saved_seconds=TIMES,
    bytes=NUMBERS,
)
SOURCES = st.builds(
    CacheSourceResult,
    ref=TEXTS,
    outcome=st.sampled_from(["used", "timeout"]),
    kind=TEXTS,
    digest=st.none() | TEXTS,
    reason=TEXTS,
    matched=NUMBERS,
    seconds=TIMES,
)
FAILURES = st.builds(failure, st.sampled_from(Reason), TEXTS, stage=TEXTS, step=TEXTS, line=NUMBERS, log_tail=TEXTS)


@settings(max_examples=100)
@given(
    st.builds(
        result_of,
        st.lists(STEPS, max_size=8).map(tuple),
        failed=st.none() | FAILURES,
        sources=st.lists(SOURCES, max_size=2).map(tuple),
    )
)
def test_any_result_gives_a_sound_page(result: BuildResult) -> None:
    assert_sound(page(result))


def test_hostile_text_is_there_to_be_read() -> None:
    data = page(hostile())
    text = Parsed(data).text
    assert "<script>alert(1)</script><img src=" in text
    assert "‹U+202E›gpj.exe" in text
    assert "more characters)" in text
    assert b"<script" not in data
    assert b"<img" not in data


def test_the_summary_says_what_came_from_caches_and_what_was_saved() -> None:
    text = Parsed(page(mixed())).text
    assert "registry.example/shop/web:1.4.2" in text
    assert "8 of 13" in text
    assert "saved about 2 min 26 s" in text
    assert "48.2 MB" in text
    assert "2 steps ran because one of these did." in text
    assert "no answer within 30 s" in text
    assert "503 Service Unavailable" in text


def test_every_step_has_its_row_with_outcome_reason_and_detail() -> None:
    parsed = assert_sound(page(mixed()))
    rows = {
        attributes["id"]: attributes["class"]
        for tag, attributes in parsed.elements
        if tag == "li" and "id" in attributes
    }
    assert rows == {
        f"step-{number}": f"row {kind}"
        for number, kind in enumerate(
            ["hit", "hit", "hit", "ran", "ran", *["hit"] * 5, "ran", "ran", "uncacheable"],
            1,
        )
    }
    assert "web/src/cart/total.ts" in parsed.text
    assert "BuildArgChanged" in parsed.text


def test_a_failed_build_shows_the_step_and_the_end_of_its_output() -> None:
    parsed = assert_sound(page(failed_build()))
    assert "6 | RUN go build -o /out/serve ./cmd/serve" in parsed.text
    assert "cmd/serve/main.go:41:9: undefined: listenAndServ\n" in parsed.text
    assert "row failed" in list(parsed.attributes("class"))
    assert "Steps 6–7: not needed or not reached" in parsed.text


def test_a_build_that_failed_before_its_first_step_has_a_page() -> None:
    result = result_of((), failed=failed_build().failure)
    text = assert_sound(page(result)).text
    assert "What went wrong" in text
    assert "Legend" not in text


def test_where_no_cache_was_named_the_steps_are_not_listed_one_by_one() -> None:
    steps = tuple(miss(number, "a", f"RUN {number}", reason=MissReason.NO_CACHE_SOURCE) for number in range(1, 31))
    text = Parsed(page(result_of(steps))).text
    assert "No cache was named to look into.30 steps" in text


def test_a_result_that_was_cut_does_not_say_that_steps_were_not_needed() -> None:
    whole = forty_steps()
    text = assert_sound(page(changed(whole, steps=tuple(step for step in whole.steps if step.outcome == "miss")))).text
    assert "Steps 1–27: left out of this result" in text
    assert "not needed" not in text


def test_what_nobody_measured_is_not_said() -> None:
    bare = BuildResult(image=all_hits().image, steps=(hit(1, "", "RUN a"),))
    text = assert_sound(page(bare)).text
    assert "Time" not in text
    assert "saved" not in text
    assert "Where the time went" not in text


def test_a_page_of_500_steps_is_small_and_one_of_10000_bounded() -> None:
    def of(count: int) -> bytes:
        return page(result_of(tuple(hit(number, "a", "RUN make", number - 1) for number in range(1, count + 1))))

    assert len(of(500)) < 500_000
    data = of(10_000)
    assert len(data) < 2_000_000
    assert "8000 steps more are not shown." in Parsed(data).text


def test_the_same_result_gives_the_same_page() -> None:
    assert page(forty_steps()) == page(forty_steps())


def test_the_golden_page() -> None:
    """A change of the page is a change of this file: IMAGEBUILD_UPDATE_GOLDEN=1 writes it, look at it in a browser."""
    data = page(failed_build())
    if os.environ.get("IMAGEBUILD_UPDATE_GOLDEN") == "1":
        GOLDEN.write_bytes(data)
    assert data == GOLDEN.read_bytes()


def test_every_reason_has_a_meaning() -> None:
    assert MEANING.keys() == set(MissReason)


def test_an_attribute_cannot_be_left() -> None:
    assert element("a", "<", title='"><b>') == '<a title="&quot;&gt;&lt;b&gt;">&lt;</a>'
    assert element("p", Html("<b>ours</b>"), None, hidden=True, lang=None) == "<p hidden><b>ours</b></p>"


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", TEXT_COLOURS)
def test_text_can_be_read(colours: dict[str, str], name: str) -> None:
    """WCAG 2.2, success criterion 1.4.3: a contrast of 4.5."""
    for ground in ("bg", "soft"):
        lighter, darker = sorted((luminance(colours[name]), luminance(colours[ground])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
