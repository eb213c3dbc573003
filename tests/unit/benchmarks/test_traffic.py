"""Bytes from the registry's access log."""

from benchmarks.traffic import Line, Traffic, count, read

DIGEST = "sha256:" + "ab" * 32
LOG = f"""\
127.0.0.1 - - [24/Nov/2026:08:00:00 +0000] "GET /v2/app/manifests/1 HTTP/1.1" 200 700 "" "imagebuild"
127.0.0.1 - - [24/Nov/2026:08:00:00 +0000] "HEAD /v2/app/blobs/{DIGEST} HTTP/1.1" 404 157 "" "imagebuild"
127.0.0.1 - - [24/Nov/2026:08:00:00 +0000] "POST /v2/app/blobs/uploads/ HTTP/1.1" 202 0 "" "imagebuild"
127.0.0.1 - - [24/Nov/2026:08:00:00 +0000] "PUT /v2/app/blobs/uploads/7f?_state=x&digest={DIGEST} HTTP/1.1" 201 0 "" "a"
127.0.0.1 - - [24/Nov/2026:08:00:01 +0000] "PUT /v2/app/manifests/2 HTTP/1.1" 201 0 "" "imagebuild"
127.0.0.1 - - [24/Nov/2026:08:00:01 +0000] "PUT /v2/app/manifests/bad HTTP/1.1" 400 90 "" "imagebuild"
"""


def test_the_log_is_read_line_by_line() -> None:
    lines = list(read(LOG))
    assert len(lines) == 6
    assert lines[0] == Line("GET", "/v2/app/manifests/1", 200, 700)


def test_bodies_of_gets_are_pulled_and_what_was_stored_is_pushed() -> None:
    sizes = {("app", DIGEST): 5000, ("app", "2"): 710}
    counted = count(read(LOG), lambda repository, name: sizes[repository, name])
    assert counted == Traffic(pulled=700, pushed=5710, requests=6)
