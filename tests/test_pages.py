"""What pages name is there: files, modules, functions, and terms that are in use.

Guards against a page that names a function or file under its old name.
"""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
ARCHITECTURE = (DOCS / "architecture.md").read_text(encoding="utf-8")
GLOSSARY = (DOCS / "glossary.md").read_text(encoding="utf-8")
TERMS = re.findall(r"(?m)^## (.*)$", GLOSSARY)
PARTS = sorted({path.stem for path in (ROOT / "wmtui").iterdir() if path.suffix == ".py" or path.is_dir()})
NAMED = sorted(set(re.findall(rf"`((?:{'|'.join(PARTS)})(?:\.\w+)+)`", ARCHITECTURE)))
PATHS = sorted(
    {
        (page.name, path)
        for page in DOCS.glob("*.md")
        for path in re.findall(r"`((?:wmtui|tests|docs|benchmarks|themes)/[\w./-]+)`", page.read_text(encoding="utf-8"))
        # Not a path of the repository: a user's cache folder.
        if path != "wmtui/demo/"
    }
)


def test_the_page_of_the_architecture_names_functions() -> None:
    assert len(NAMED) > 30
    assert len([path for page, path in PATHS if page == "architecture.md"]) > 15


@pytest.mark.parametrize("name", NAMED)
def test_a_function_that_the_page_of_the_architecture_names_is_there(name: str) -> None:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(["wmtui", *parts[:length]]))
        except ModuleNotFoundError:
            continue
        for inner in parts[length:]:
            found = getattr(found, inner)
        return
    pytest.fail(f"no module {name}")


@pytest.mark.parametrize(("page", "path"), PATHS)
def test_a_path_that_a_page_names_is_there(page: str, path: str) -> None:
    assert (ROOT / path).exists(), page


def test_every_package_is_on_the_page_of_the_architecture() -> None:
    packages = {path.name for path in (ROOT / "wmtui").iterdir() if (path / "__init__.py").exists()}
    assert {name for name in packages if f"| `wmtui/{name}`" not in ARCHITECTURE} <= {"tui"}
    assert "`wmtui/tui`" in ARCHITECTURE


def test_the_terms_of_the_glossary_are_in_order() -> None:
    assert sorted(TERMS) == TERMS
    assert len(set(TERMS)) == len(TERMS)


@pytest.mark.parametrize("term", TERMS)
def test_a_term_of_the_glossary_is_used_by_code_and_by_another_page(term: str) -> None:
    words = re.compile(rf"\b{term.replace(' ', r'[ _]')}", re.IGNORECASE)
    pages = [path for path in (*DOCS.rglob("*.md"), ROOT / "README.md") if path.name != "glossary.md"]
    for paths in (pages, sorted((ROOT / "wmtui").rglob("*.py"))):
        assert any(words.search(" ".join(path.read_text(encoding="utf-8").split())) for path in paths), paths[0].parent


@pytest.mark.parametrize("page", ["protocol", "architecture"])
def test_the_glossary_is_linked(page: str) -> None:
    assert "(glossary.md)" in (DOCS / f"{page}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["protocol", "architecture", "glossary"])
def test_links_to_headings_lead_to_one(page: str) -> None:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    for name, anchor in re.findall(r"\]\(([\w-]*\.md)?#([\w-]+)\)", text):
        target = (DOCS / name).read_text(encoding="utf-8") if name else text
        titles = re.findall(r"(?m)^#+ (.*)$", target)
        assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, (name, anchor)


@pytest.mark.parametrize("page", ["protocol", "architecture", "glossary"])
def test_pages_stand_alone(page: str) -> None:
    """They name no notes that are not in the repository."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    assert re.search(r"\.\./shared|DESIGN\.md|DECISIONS\.md|no longer|used to\b", text) is None
