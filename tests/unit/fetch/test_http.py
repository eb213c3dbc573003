"""Files by HTTP: what arrives, and every way in which it does not."""

import base64
import gzip
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from imagebuild_engine.core.oci import Digest
from imagebuild_engine.host.fetch import FetchFailed, FetchLimits, WrongChecksum, fetch_url

from tests.support.web import Answer, Web, web_server


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as web:
        yield web


async def failure(url: str, path: Path, limits: FetchLimits = FetchLimits(), **more: Digest) -> FetchFailed:  # noqa: B008
    with pytest.raises(FetchFailed) as caught:
        await fetch_url(url, path, limits=limits, **more)
    assert not path.exists(), "nothing stays"
    return caught.value


@pytest.mark.parametrize(
    ("date", "kept", "time"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        ("Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        ("yesterday", "", 0),
    ],
)
async def test_the_file_and_its_date(web: Web, tmp_path: Path, date: str, kept: str, time: int) -> None:
    url = web.serve("/f", Answer(b"hello", headers={"last-modified": date}))
    file = await fetch_url(url, tmp_path / "f")
    assert (file.path.read_bytes(), file.checksum) == (b"hello", Digest.of(b"hello"))
    assert (file.last_modified, file.time) == (kept, time)
    assert file.path.stat().st_mode & 0o7777 == 0o600


async def test_compression_for_the_way_is_taken_out(web: Web, tmp_path: Path) -> None:
    data = os.urandom(1000) * 1000
    url = web.serve("/f", Answer(gzip.compress(data), headers={"content-encoding": "gzip"}))
    assert (await fetch_url(url, tmp_path / "f")).checksum == Digest.of(data)


async def test_a_compressed_answer_that_breaks_off_is_no_file(web: Web, tmp_path: Path) -> None:
    half = gzip.compress(os.urandom(1000))[:-20]
    url = web.serve("/f", Answer(half, headers={"content-encoding": "gzip"}))
    assert (await failure(url, tmp_path / "f")).kind == "unavailable"


async def test_a_bomb_is_defused(web: Web, tmp_path: Path) -> None:
    url = web.serve("/f", Answer(gzip.compress(bytes(1 << 24)), headers={"content-encoding": "gzip"}))
    assert "larger than 1048576 bytes" in str(await failure(url, tmp_path / "f", FetchLimits(bytes=1 << 20)))


async def test_another_file_than_the_one_asked_for(web: Web, tmp_path: Path) -> None:
    url = web.serve("/f", Answer(b"hello"))
    assert (await fetch_url(url, tmp_path / "g", checksum=Digest.of(b"hello"))).checksum == Digest.of(b"hello")
    failed = await failure(url, tmp_path / "f", checksum=Digest.of(b"bye"))
    assert isinstance(failed, WrongChecksum)
    assert (failed.found, failed.expected) == (Digest.of(b"hello"), Digest.of(b"bye"))
    assert str(failed.found) in str(failed)
    assert str(failed.expected) in str(failed)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, "not_found"),
        (410, "not_found"),
        (401, "unauthorized"),
        (403, "unauthorized"),
        (400, "invalid"),
        (429, "unavailable"),
        (500, "unavailable"),
        (503, "unavailable"),
    ],
)
async def test_refusals(web: Web, tmp_path: Path, status: int, kind: str) -> None:
    failed = await failure(web.serve("/f", Answer(b"no", status=status)), tmp_path / "f")
    assert failed.kind == kind
    assert str(failed) == f"{web.base}/f: the server answers {status}"


async def test_redirects_are_followed_and_counted(web: Web, tmp_path: Path) -> None:
    web.serve("/end", Answer(b"here"))
    url = web.serve("/f", Answer(status=302, headers={"location": "end"}))
    assert (await fetch_url(url, tmp_path / "f")).path.read_bytes() == b"here"
    loop = web.serve("/loop", Answer(status=301, headers={"location": "/loop"}))
    assert "redirected more than 10 times" in str(await failure(loop, tmp_path / "g"))
    assert sum(path == "/loop" for path, _ in web.asked) == 11


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://h/x", "http://", "http://["])
async def test_a_redirect_to_what_is_no_url(web: Web, tmp_path: Path, location: str) -> None:
    url = web.serve("/f", Answer(status=302, headers={"location": location}))
    assert (await failure(url, tmp_path / "f")).kind == "invalid"


async def test_a_password_is_sent_home_only_and_told_to_nobody(web: Web, tmp_path: Path) -> None:
    with web_server() as other:
        other.serve("/end", Answer(status=404))
        web.serve("/f", Answer(status=302, headers={"location": f"{other.base}/end?signature=s3cret"}))
        failed = await failure(web.base.replace("//", "//me:s3cret@") + "/f?token=s3cret", tmp_path / "f")
        assert web.asked[0][1]["authorization"] == "Basic " + base64.b64encode(b"me:s3cret").decode()
        assert "authorization" not in other.asked[0][1]
    assert str(failed) == f"{web.base}/f: the server answers 404 at {other.base}/end"


async def test_a_server_that_never_ends_is_left(web: Web, tmp_path: Path) -> None:
    enough = threading.Event()

    def drip(write: Callable[[bytes], object]) -> None:
        try:
            while not enough.wait(0.02):
                write(b"x")
        except OSError:
            return

    url = web.serve("/f", Answer(drip))
    assert (await failure(url, tmp_path / "f", FetchLimits(seconds=0.3))).kind == "timeout"
    enough.set()


async def test_a_server_that_falls_silent_is_left(web: Web, tmp_path: Path) -> None:
    enough = threading.Event()

    def pause(write: Callable[[bytes], object]) -> None:
        write(b"x")
        enough.wait(10)

    url = web.serve("/f", Answer(pause))
    assert (await failure(url, tmp_path / "f", FetchLimits(pause=0.2))).kind == "timeout"
    enough.set()


async def test_an_answer_that_breaks_off_is_no_file(web: Web, tmp_path: Path) -> None:
    def part(write: Callable[[bytes], object]) -> None:
        write(b"x")

    url = web.serve("/f", Answer(part, headers={"content-length": "100"}))
    assert (await failure(url, tmp_path / "f")).kind == "unavailable"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://127.0.0.1:1/f", "unavailable"),
        ("http://[bad/f", "invalid"),
        ("file:///etc/passwd", "invalid"),
        ("http://nowhere.invalid/f", "unavailable"),
        ("http:///f", "invalid"),
        ("http://h:99999999/f", "invalid"),
        ("http://" + "a" * 70000, "invalid"),
    ],
)
async def test_urls_that_lead_nowhere(tmp_path: Path, url: str, kind: str) -> None:
    assert (await failure(url, tmp_path / "f", FetchLimits(seconds=20))).kind == kind
