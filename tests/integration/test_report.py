"""The build report in a real browser, and from real builds."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from imagebuild_engine.page import page

from tests.support.browser import Browser, browser, missing_chromium
from tests.support.reports import RESULTS, forty_steps, hit, result_of
from tests.support.root import needs_root
from tests.support.scratch_builds import Bench

needs_chromium = pytest.mark.skipif(bool(missing_chromium()), reason=missing_chromium() or "-")
TELEPHONE, DESKTOP = 360, 1280
HIDDEN = """[...document.querySelectorAll("body *")].filter(element => {
    const box = element.getBoundingClientRect();
    return box.right > innerWidth + 1 && !element.closest("pre");
}).map(element => element.outerHTML.slice(0, 200))"""
"""What sticks out of the window, except inside of what can be scrolled."""
BROKEN_LINES = """[...document.querySelectorAll(".stage, .row")].slice(1).filter((row, place, rows) => {
    const above = place ? rows[place - 1] : document.querySelector(".stage, .row");
    const gap = row.getBoundingClientRect().top - above.getBoundingClientRect().bottom;
    return Math.abs(gap) > 0.5;
}).length"""
"""Rows that do not touch the one above: the graph's lines would have gaps."""


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def write(folder: Path, data: bytes) -> str:
    path = folder / "report.html"
    path.write_bytes(data)
    return path.as_uri()


@needs_chromium
@pytest.mark.parametrize("name", RESULTS)
def test_a_page_fits_and_loads_nothing(tab: Browser, tmp_path: Path, name: str) -> None:
    """At the width of a telephone and of a desktop, dark and light; with all steps opened as well."""
    url = write(tmp_path, page(RESULTS[name]()))
    for width, scheme in product((TELEPHONE, DESKTOP), ("light", "dark")):
        tab.look(width=width, scheme=scheme)
        seen = tab.open(url)
        assert seen.requests == (), "the page asked for something"
        assert seen.complaints == (), "the browser complained"
        for opened in ("false", "true"):
            tab.value(f"document.querySelectorAll('details').forEach(one => one.open = {opened})")
            assert tab.value("document.scrollingElement.scrollWidth <= innerWidth"), (width, scheme, opened)
            assert tab.value(HIDDEN) == [], (width, scheme, opened)
            assert tab.value(BROKEN_LINES) == 0, (width, scheme, opened)


@needs_chromium
def test_all_steps_are_seen(tab: Browser, tmp_path: Path) -> None:
    tab.look(width=TELEPHONE)
    tab.open(write(tmp_path, page(forty_steps())))
    shown = (
        "[...document.querySelectorAll('.row .text')].filter(text => text.checkVisibility() && text.offsetHeight > 0)"
    )
    assert tab.value(f"{shown}.map(text => text.textContent)") == [step.instruction for step in forty_steps().steps]


@needs_chromium
def test_500_steps_are_shown_too(tab: Browser, tmp_path: Path) -> None:
    steps = tuple(hit(number, "a", "RUN make", number - 1, number // 2) for number in range(1, 501))
    tab.look(width=TELEPHONE)
    tab.open(write(tmp_path, page(result_of(steps))))
    assert tab.value("document.querySelectorAll('li.row').length") == 500
    assert tab.value("document.scrollingElement.scrollWidth <= innerWidth")


@needs_chromium
def test_dark_is_dark_and_paper_is_white(tab: Browser, tmp_path: Path) -> None:
    url = write(tmp_path, page(forty_steps()))
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    tab.look(width=DESKTOP, scheme="light")
    tab.open(url)
    light = tab.value(ground)
    tab.look(width=DESKTOP, scheme="dark")
    assert tab.value(ground) != light
    tab.look(width=DESKTOP, scheme="dark", media="print")
    assert tab.value(ground) == light
    hidden = "[...document.querySelectorAll('details .facts')].filter(facts => !facts.checkVisibility()).length"
    assert tab.value(hidden) == 0, "every step is open on paper"
    tab.look(width=DESKTOP)
    assert tab.value(hidden) == 40


@needs_chromium
def test_the_keyboard_reaches_and_opens_a_step(tab: Browser, tmp_path: Path) -> None:
    tab.look(width=DESKTOP)
    tab.open(write(tmp_path, page(forty_steps())))
    for _ in range(60):
        tab.press("Tab")
        if tab.value("document.activeElement.closest('#step-1') !== null"):
            break
    assert tab.value("document.activeElement.tagName") == "SUMMARY"
    tab.press("Enter")
    assert tab.value("document.querySelector('#step-1 details').open")


@needs_chromium
def test_assistive_technology_finds_its_way(tab: Browser, tmp_path: Path) -> None:
    """Landmarks, headings in their order, lists with as many items as there are steps."""
    tab.look(width=DESKTOP)
    tab.open(write(tmp_path, page(forty_steps())))
    nodes = tab.accessibility()
    assert {"main", "banner", "contentinfo", "region"} <= {node["role"] for node in nodes}
    headings = [node["name"] for node in nodes if node["role"] == "heading"]
    assert headings[:4] == ["registry.example/shop/web:1.4.2", "Why steps ran", "Steps", "base"]
    summaries = [node["name"] for node in nodes if node["role"] == "DisclosureTriangle"]
    assert len(summaries) == 40
    assert "RUN make site-5" in summaries[28]
    assert "ran" in summaries[28]


@needs_chromium
def test_hostile_text_stays_text(tab: Browser, tmp_path: Path) -> None:
    tab.look(width=TELEPHONE)
    seen = tab.open(write(tmp_path, page(RESULTS["hostile"]())))
    assert seen == type(seen)(requests=(), complaints=())
    assert tab.value("document.querySelectorAll('script, img, iframe, link, object, [onload], [onerror]').length") == 0
    assert tab.value("document.querySelectorAll('style').length") == 1


@needs_chromium
def test_even_markup_from_outside_would_do_nothing(tab: Browser, tmp_path: Path) -> None:
    """The second line of defence: the page's policy. Injected by hand here, what text cannot do on its own."""
    evil = (
        b'<script>document.title = "taken"</script><img src="https://127.0.0.1:9/x.png" onerror="document.title=1">'
        b"<style>main { display: none }</style><link rel=stylesheet href=https://127.0.0.1:9/x.css>"
        b'<p style="position:fixed">x</p>'
    )
    data = page(forty_steps()).replace(b"<footer>", evil + b"<footer>")
    tab.look(width=DESKTOP)
    seen = tab.open(write(tmp_path, data))
    assert tab.value("document.title").startswith("registry.example/shop/web")
    assert tab.value("getComputedStyle(document.querySelector('main')).display") == "block"
    assert tab.value("getComputedStyle(document.querySelector('body > p')).position") == "static"
    assert len(seen.complaints) >= 4, "the browser says what it refused"


@needs_root
@pytest.mark.root
class TestBuilds:
    """`imagebuild build --report`."""

    def test_a_build_leaves_its_page(self, bench: Bench) -> None:
        bench.write("FROM scratch AS one\nCOPY a /a\nFROM scratch\nCOPY --from=one /a /b\n", a="text")
        page = self.page_of(bench)
        assert "COPY</b> --from=one /a /b" in page
        assert "NoCacheSource" in page
        assert 'href="#step-1">step 1</a> of one' in page

    def test_a_failed_build_leaves_its_page(self, bench: Bench) -> None:
        bench.write("FROM scratch\nCOPY a /a\nCOPY missing /b\n", a="text")
        page = self.page_of(bench, code=12)
        assert "Build failed" in page
        assert "ContextPathMissing" in page
        assert "COPY missing /b" in page

    def test_a_page_that_cannot_be_written_changes_nothing_else(self, bench: Bench) -> None:
        bench.write("FROM scratch\nCOPY a /a\n", a="text")
        log = bench.build("--report", str(bench.folder / "missing/report.html"), str(bench.context), code=2)
        assert "is no directory" in log

    def page_of(self, bench: Bench, **expected: Any) -> str:
        report = bench.folder / "report.html"
        bench.build("--report", str(report), str(bench.context), **expected)
        return report.read_text()
