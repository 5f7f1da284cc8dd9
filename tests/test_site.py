"""The site builds without a warning, and its pages fetch nothing from elsewhere."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.site_pages import DOCS, PAGES, ROOT

LOADS = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "object": "data",
    "form": "action",
}
"""Attributes whose address a browser fetches by itself, or sends to."""


class Parser(HTMLParser):
    """Gathers what a page fetches, links to, and can be linked by."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.classes: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        self.classes |= set(values.get("class", "").split())
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if LOADS.get(tag) in values and values.get("rel") not in ("canonical", "next", "prev"):
            self.fetched.append(values[LOADS[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Parser]:
    return {page: Parser(page) for page in site.rglob("*.html")}


def test_every_page_is_in_the_site(site: Path) -> None:
    sources = [*(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")), *PAGES.values()]
    assert [name for name in sources if not (site / name).with_suffix(".html").exists()] == []
    assert "cockpit" in (site / "index.html").read_text(encoding="utf-8")


def test_no_page_fetches_anything_from_elsewhere(site: Path, pages: dict[Path, Parser]) -> None:
    fetched = {address for page in pages.values() for address in page.fetched}
    assert {address for address in fetched if re.match(r"(\w+:)?//", address)} == set()
    styles = "".join(sheet.read_text(encoding="utf-8") for sheet in site.rglob("*.css"))
    assert re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)]*", styles) == []
    # What the theme's script fetches from elsewhere when a page asks for it.
    assert not any(page.classes & {"mermaid", "md-source"} for page in pages.values())


def test_everything_that_is_fetched_or_linked_is_there(site: Path, pages: dict[Path, Parser]) -> None:
    dead = []
    for page, content in pages.items():
        for address in (*content.fetched, *content.links):
            if page.name == "404.html" or re.match(r"\w+:", address):
                continue
            path, _, anchor = address.partition("#")
            target = (page.parent / unquote(path)).resolve() if path not in ("", ".") else page
            target = target / "index.html" if target.is_dir() else target
            known = pages[target].anchors if target in pages else None
            if not target.is_file() or (anchor and known is not None and unquote(anchor) not in known):
                dead.append(f"{page.relative_to(site)}: {address}")
    assert dead == []


def test_a_search_finds_every_page(site: Path) -> None:
    index = (site / "search" / "search_index.json").read_text(encoding="utf-8")
    assert all(f'"{page.relative_to(site)}"' in index for page in site.rglob("*.html") if page.name != "404.html")
