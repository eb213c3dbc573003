"""Serves the pages on port 8080 after greeting its operator."""

import http.server
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent

if __name__ == "__main__":
    pages = HERE / "pages"
    print(f"{(HERE / 'banner.txt').read_text().strip()}: {len(list(pages.iterdir()))} pages on port 8080", flush=True)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(pages))
    http.server.ThreadingHTTPServer(("", 8080), handler).serve_forever()
