"""README and docs: every command does what it says, every link, name and key is there."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
import yaml

from tests import command_page, type_page
from wmtui.cli.commands import root
from wmtui.cli.invocation import Invocation
from wmtui.config import load
from wmtui.config.schema import Profile, TableConfig
from wmtui.demo import open_demo
from wmtui.tui.keys.actions import ACTIONS
from wmtui.tui.shell import format_key

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = (*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")))
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
SCREEN, SETTINGS, OLDER = (TEXTS[f"docs/{name}.md"] for name in ("screen", "tables-yaml", "tasks/from-the-older-tool"))
REPLACED = re.findall(r"(?m)^\| `python -m src[^|]*\| `(wmtui [^`]*)` \|$", OLDER)
TABLE = "settlement.settlement_claim_detail"

NOT_RUN = {
    ".": "the programs that it brings are in the tests' own PATH already",
    ".venv/bin/python": "a benchmark takes minutes; tests/benchmarks/test_page.py parses what is typed after it",
    ".venv/bin/pytest": "a test would run tests; its paths are looked up",
    ".venv/bin/ruff": "`make test` runs it, and what is typed after it, before any test",
    "make": "minutes to hours; `make -n` says whether the targets are there",
}
"""The first word of a command line that is not run, and why."""

SHIM = """#!/bin/sh
# With a tables.yaml of its own a page works on that, else on the sandbox.
if [ -e tables.yaml ]; then exec {python} -m wmtui "$@"; fi
[ "$1" = --demo ] && shift
exec {python} -m wmtui --demo --demo-dir {sandbox} "$@"
"""


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language, `` for those that name none."""
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```", text)


def commands(block: str) -> Iterator[str]:
    """The commands of a block, one by one; a here-document or quoted text with line ends is part of its command."""
    lines = iter(block.splitlines())
    for line in lines:
        command = line
        if here := re.search(r"<<'(\w+)'", line):
            for more in lines:
                command += f"\n{more}"
                if more == here[1]:
                    break
        while command.count('"') % 2:
            command += "\n" + next(lines)
        if command.strip():
            yield command


def inline(text: str) -> list[str]:
    """What stands between single backticks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", text))


def program(command: str) -> str:
    """The first word of a command line, after the variables that it sets."""
    return next(word for word in command.split() if not re.match(r"[A-Z_]+=", word))


TYPED = {page: [command for block in blocks(text, "sh") for command in commands(block)] for page, text in TEXTS.items()}
RUN = {page: lines for page, lines in TYPED.items() if any(program(line) not in NOT_RUN for line in lines)}


class Shell:
    """A shell whose `wmtui` works on a sandbox. A page begins in an empty folder, with the sandbox as it was made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sandbox, self._pristine = folder / "sandbox", folder / "pristine"
        open_demo(self.sandbox, False, lambda _: None)
        shutil.copytree(self.sandbox, self._pristine)
        program = folder / "bin" / "wmtui"
        program.parent.mkdir()
        program.write_text(SHIM.format(python=sys.executable, sandbox=self.sandbox))
        program.chmod(0o755)
        path = f"{program.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._environment = {**os.environ, "PATH": path}
        self._here = folder

    def begin(self, name: str) -> None:
        """Make the sandbox again, in the place that its store knows, and go to an empty folder."""
        shutil.rmtree(self.sandbox)
        shutil.copytree(self._pristine, self.sandbox)
        self._here = self.folder / name.replace("/", "-")
        self._here.mkdir()

    def type(self, command: str) -> None:
        """Run one command; `# exit N` after it says what it ends with, otherwise 0."""
        expected = re.search(r"# exit (\d+)", command)
        typed = command.replace("/tmp/", f"{self.folder}/")
        done = subprocess.run(
            ["bash", "-c", f"{typed}\ncode=$?; pwd > {self.folder}/here; exit $code"],
            cwd=self._here,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        self._here = Path((self.folder / "here").read_text().strip())
        assert done.returncode == int(expected[1] if expected else 0), f"{command}\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("pages"))


@pytest.mark.timeout(300)  # A process for each command, beside other tests.
@pytest.mark.parametrize("page", RUN)
def test_every_command_of_a_page_works_word_for_word_from_top_to_bottom(page: str, shell: Shell) -> None:
    shell.begin(page)
    for line in RUN[page]:
        if program(line) not in NOT_RUN:
            shell.type(line)


@pytest.mark.timeout(300)
def test_every_command_that_replaces_one_of_the_older_tool_works(shell: Shell) -> None:
    assert len(REPLACED) >= 10
    shell.begin("replaced")
    for line in REPLACED:
        typed = re.sub(r"-t T\b", f"-t {TABLE}", line)
        shell.type(f"{typed}  # exit 1" if line == "wmtui status" else typed)  # Some manual tables are days old.


def parse(words: list[str]) -> None:
    """Read a command line as `wmtui` does, without doing anything. Raises what it would refuse it with."""
    context = root.make_context("wmtui", list(words), obj=Invocation())
    while isinstance(context.command, click.Group) and (rest := [*context._protected_args, *context.args]):
        _, command, arguments = context.command.resolve_command(context, rest)
        assert command is not None
        context = command.make_context(command.name, arguments, parent=context)


@pytest.mark.parametrize("page", TEXTS)
def test_every_command_that_is_only_mentioned_is_one(page: str) -> None:
    """Those in a sentence, in a table, or in a block of examples."""
    examples = [line for kind in ("", "text") for block in blocks(TEXTS[page], kind) for line in block.splitlines()]
    mentioned = [text for text in (*inline(TEXTS[page]), *examples) if text.startswith("wmtui ")]
    for text in set(mentioned) - MESSAGES:
        words = shlex.split(text.replace("\\|", "|"))[1:]
        if "|" in words:
            words = words[: words.index("|")]
        if not set(words) & {"[OPTIONS]", "--help", "--version"}:
            parse(words)


MESSAGES = {"wmtui on this host is too old for this warehouse: upgrade it"}
"""What is quoted and begins like a command."""

OPTIONS: dict[str, set[str]] = {}
"""The options of each command, by its last word."""
for _name, _command in command_page.commands():
    OPTIONS.setdefault(_name.split()[-1], set()).update(text for each in _command.params for text in each.opts)


@pytest.mark.parametrize("page", TEXTS)
def test_every_option_of_a_command_that_is_mentioned_without_its_first_word_is_one(page: str) -> None:
    for text in inline(TEXTS[page]):
        command, *words = text.split()
        if command in OPTIONS and command != "--run":
            assert {word for word in words if word.startswith("-") and len(word) > 1} <= OPTIONS[command], text


@pytest.mark.parametrize("page", TEXTS)
def test_what_is_not_run_is_there(page: str) -> None:
    lines = [*(line.split("#")[0] for line in TYPED[page]), *inline(TEXTS[page])]
    words = [line.split() for line in lines if line.strip()]
    made = [each for each in words if each[0] == "make" and each[1:]]
    for each in made:
        done = subprocess.run(["make", "-n", *each[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{each}\n{done.stderr}"
    for each in words:
        if each[0].endswith("python") and each[1:2] == ["-m"] and not each[2].startswith("src."):
            assert find_spec(each[2]), each
        if ".venv/bin/pytest" in each:
            assert all((ROOT / word).exists() for word in each if word.startswith("tests")), each
        programs = [Path(word).name for word in each if word.startswith(".venv/bin/") and word != ".venv/bin/"]
        assert all((Path(sys.executable).parent / name).exists() for name in programs), each


def test_every_page_with_statements_has_a_test_that_runs_them_or_a_reason_why_not() -> None:
    reasons = {
        "docs/mysql.md": "tests/sources/test_mysql_page.py runs them",
        "docs/protocol.md": "tests/warehouses/test_protocol.py compares them with what is sent",
        "docs/redshift.md": "Redshift's catalogue is on no server here",
    }
    assert {page for page, text in TEXTS.items() if blocks(text, "sql")} == set(reasons)


def test_every_reason_for_not_running_a_command_is_needed() -> None:
    assert set(NOT_RUN) <= {program(line) for lines in TYPED.values() for line in lines}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_picture_and_page_that_is_linked_is_there(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_every_file_and_function_that_a_page_names_is_there(page: str) -> None:
    paths = [text for text in inline(TEXTS[page]) if re.match(r"(wmtui|tests|docs|benchmarks|themes)/[\w/.-]*$", text)]
    assert [path for path in paths if not (ROOT / path).exists()] == []
    for names, path in re.findall(r"((?:`\w+`(?:, | and )?)+) in `(wmtui/[\w/]+\.py)`", TEXTS[page]):
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        defined |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert set(inline(names)) <= defined


@pytest.mark.parametrize("page", TEXTS)
def test_every_example_of_a_configuration_is_valid(page: str, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(TEXTS[page], "yaml")):
        values = yaml.safe_load(block)
        assert isinstance(values, dict)
        if "version" in values:
            path = tmp_path / f"{number}.yaml"
            path.write_text(block)
            for profile in values["profiles"]:
                load(path, profile, dict.fromkeys(re.findall(r"\$\{(\w+)\}", block), "secret"))


def test_every_setting_is_documented() -> None:
    keys = {
        "as" if name == "as_types" else name for name in (*TableConfig.__struct_fields__, *Profile.__struct_fields__)
    }
    servers = set().union(*(kind.__struct_fields__ for kind in Profile.__annotations__["source"].__args__))
    servers |= set().union(*(kind.__struct_fields__ for kind in Profile.__annotations__["warehouse"].__args__))
    assert {key for key in keys | servers if f"`{key}`" not in SETTINGS} == set()


def test_every_key_of_the_screen_is_documented() -> None:
    for action in ACTIONS:
        keys = " ".join(f"`{format_key(key)}`" for key in action.keys.split(","))
        assert f"| {keys} | {action.title} | `{action.id}` |" in SCREEN


def test_the_page_of_types_is_what_the_table_says() -> None:
    assert type_page.PAGE.read_text(encoding="utf-8") == type_page.page()


def test_the_page_of_commands_is_what_their_help_says() -> None:
    assert command_page.PAGE.read_text(encoding="utf-8") == command_page.page()


def test_every_theme_is_documented() -> None:
    assert all(f"`{theme.stem}`" in SCREEN for theme in (ROOT / "themes").glob("*.yaml"))


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("watermark list", 0),
        ("status", 1),  # No table was ever synced.
        (f"sync -t {TABLE} --dry-run", 4),  # There is no source, and only its owner can make one.
        ("doctor", 4),
        (f"files -t {TABLE}", 0),
        ("locks", 0),
    ],
)
def test_the_configuration_of_the_root_works_in_a_fresh_folder_or_says_the_line_to_type(
    command: str, code: int, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "tables.yaml", tmp_path)
    program = [sys.executable, "-m", "wmtui", *command.split()]

    def said() -> tuple[int, str]:
        done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    first, words = said()
    assert first == 4
    subprocess.run(re.findall(r"mkdir -p \S+", words)[0].split(), check=True)
    second, words = said()
    assert second == code
    assert "mkdir" not in words
    assert (code == 4) == ("to try wmtui without a source: wmtui --demo" in words)


def test_the_readme_is_short() -> None:
    assert len(TEXTS["README.md"].splitlines()) <= 120
