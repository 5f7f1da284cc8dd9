"""Every command in the README and the docs does what it says, typed into a shell on the demo's sandbox."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import type_page
from wmtui.demo import open_demo
from wmtui.tui.keys.actions import ACTIONS
from wmtui.tui.shell import format_key

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
README, *_ = TEXTS = [page.read_text(encoding="utf-8") for page in PAGES]
SCREEN = (ROOT / "docs" / "screen.md").read_text(encoding="utf-8")
BLOCKS = [block for block in re.findall(r"(?ms)^```sh\n(.*?)^```", "".join(TEXTS)) if "wmtui " in block]
REPLACED = re.findall(r"(?m)^\| `python -m src[^|]*\| `(wmtui [^`]*)` \|$", README)
TABLE = "settlement.settlement_claim_detail"

SHIM = """#!/bin/sh
[ "$1" = --demo ] && shift
exec {python} -m wmtui --demo --demo-dir {sandbox} "$@"
"""


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The environment of a shell whose `wmtui` works on a sandbox."""
    folder = tmp_path_factory.mktemp("readme")
    sandbox, program = folder / "sandbox", folder / "bin" / "wmtui"
    open_demo(sandbox, False, lambda _: None)
    program.parent.mkdir()
    program.write_text(SHIM.format(python=sys.executable, sandbox=sandbox))
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "TMP_FOLDER": str(folder)}


def type_line(line: str, shell: Mapping[str, str]) -> None:
    """Run one line; `# exit N` behind it says what it ends with, otherwise 0."""
    expected = re.search(r"# exit (\d+)", line)
    typed = line.replace("/tmp/", f"{shell['TMP_FOLDER']}/")
    done = subprocess.run(["bash", "-c", typed], env=shell, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == int(expected[1] if expected else 0), f"{line}\n{done.stdout}{done.stderr}"


def test_the_readme_has_tasks_and_a_table_of_replaced_commands() -> None:
    assert len(BLOCKS) >= 10
    assert len(REPLACED) >= 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_picture_and_page_that_is_linked_is_there(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_key_of_the_screen_is_documented() -> None:
    for action in ACTIONS:
        keys = " ".join(f"`{format_key(key)}`" for key in action.keys.split(","))
        assert f"| {keys} | {action.title} | `{action.id}` |" in SCREEN


def test_the_page_of_types_is_what_the_table_says() -> None:
    assert type_page.PAGE.read_text(encoding="utf-8") == type_page.page()


def test_every_theme_is_documented() -> None:
    assert all(f"`{theme.stem}`" in SCREEN for theme in (ROOT / "themes").glob("*.yaml"))


@pytest.mark.timeout(300)  # A process for each of some seventy commands, beside other tests.
def test_every_command_works_word_for_word_from_top_to_bottom(shell: Mapping[str, str]) -> None:
    replaced = [re.sub(r"-t T\b", f"-t {TABLE}", line) for line in REPLACED]
    # By then some of the sandbox's manual tables are days old.
    replaced = [f"{line}  # exit 1" if line == "wmtui status" else line for line in replaced]
    for line in [*(line for block in BLOCKS for line in block.splitlines()), *replaced]:
        type_line(line, shell)
