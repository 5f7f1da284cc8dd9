"""What mkdocs.yml runs to build the site: pages and fonts that are not in docs/, and links that lead out of it."""

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
"""Pages of the repository's root, and what they are called in the site."""

_SOURCES = {page: name for name, page in PAGES.items()}
_FONTS = ROOT / "wmtui" / "tui" / "fonts"
_LINK = re.compile(r"\[((?:[^\[\]]|!?\[[^\]]*\])*)\]\(([^()\s#]*)((?:#[^()\s]*)?)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root, and the fonts."""
    for name, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    for font in _FONTS.iterdir():
        files.append(File.generated(config, f"fonts/{font.name}", abs_src_path=str(font)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Lead links within the site; of one to a file that is not in it the text remains."""
    place = page.file.src_uri
    folder = (ROOT / _SOURCES[place] if place in _SOURCES else DOCS / place).parent

    def led(link: re.Match[str]) -> str:
        text, target, anchor = link.groups()
        if not target or "://" in target:
            return link[0]
        path = Path(os.path.normpath(folder / target))
        name = path.relative_to(ROOT).as_posix()
        if name in PAGES:
            inside = PAGES[name]
        elif path.is_file() and path.is_relative_to(DOCS):
            inside = path.relative_to(DOCS).as_posix()
        elif path.exists():
            return text
        else:
            return link[0]  # mkdocs says that it is dead.
        return f"[{text}]({os.path.relpath(inside, Path(place).parent)}{anchor})"

    return _LINK.sub(led, markdown)
