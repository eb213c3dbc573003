"""Takes a few seconds, as the tests of a real tool do."""

import json
import tempfile
import time
from pathlib import Path

from render import main

with tempfile.TemporaryDirectory() as folder:
    catalogue, pages = Path(folder, "catalogue"), Path(folder, "pages")
    catalogue.mkdir()
    for number in range(200):
        (catalogue / f"p{number}.json").write_text(json.dumps({"name": f"<{number}>", "text": "x", "price": number}))
    main(catalogue, pages)
    assert len(list(pages.iterdir())) == 201
    assert "&lt;7&gt;" in (pages / "p7.html").read_text()
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        main(catalogue, pages)
print("self-test passed")
