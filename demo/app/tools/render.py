"""render.py CATALOGUE PAGES: one HTML page for each product, and an index."""

import html
import json
import sys
from pathlib import Path


def page(title: str, body: str) -> str:
    return f"<!doctype html><title>{html.escape(title)}</title><h1>{html.escape(title)}</h1>{body}\n"


def main(catalogue: Path, pages: Path) -> None:
    pages.mkdir(parents=True, exist_ok=True)
    links = []
    for source in sorted(catalogue.glob("*.json")):
        product = json.loads(source.read_text())
        body = f"<p>{html.escape(product['text'])}</p><p>{product['price']:.2f}</p>"
        (pages / f"{source.stem}.html").write_text(page(product["name"], body))
        links.append(f"<li><a href='{source.stem}.html'>{html.escape(product['name'])}</a></li>")
    (pages / "index.html").write_text(page("Shop", f"<ul>{''.join(links)}</ul>"))
    print(f"{len(links)} products rendered")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
