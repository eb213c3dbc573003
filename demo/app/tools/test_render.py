"""What the shop relies on: every product has its page, and a product's text is never markup."""

import json
import tempfile
import unittest
from pathlib import Path

from render import main


class Rendering(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.catalogue, self.pages = Path(folder.name, "catalogue"), Path(folder.name, "pages")
        self.catalogue.mkdir()
        for number in range(500):
            product = {"name": f"<{number}>", "text": "a & b", "price": number}
            (self.catalogue / f"p{number}.json").write_text(json.dumps(product))
        main(self.catalogue, self.pages)

    def test_every_product_has_a_page_and_a_link(self) -> None:
        self.assertEqual(len(list(self.pages.iterdir())), 501)
        self.assertEqual((self.pages / "index.html").read_text().count("<li>"), 500)

    def test_text_is_never_markup(self) -> None:
        self.assertIn("&lt;7&gt;", (self.pages / "p7.html").read_text())
        self.assertIn("a &amp; b", (self.pages / "p7.html").read_text())


if __name__ == "__main__":
    unittest.main()
