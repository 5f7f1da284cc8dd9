"""`make test` fetches MySQL, goes on where there is none to be had, and never keeps quiet about it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAMS = ("sh", "make", "mkdir", "mktemp", "rm", "cp", "cat", "grep", "head", "sort", "test")

NO_ANSWER = "update) echo 'E: Could not connect to the mirror' >&2; exit 100 ;;"
NOT_DEBIAN = "update) echo \"E: The repository 'm sid Release' does not have a Release file.\" >&2; exit 100 ;;"
NO_PACKAGE = "show) exit 100 ;;"
NO_FILES = "download) exit 100 ;;"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder for PATH with little more than a shell."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in PROGRAMS:
        (folder / name).symlink_to(shutil.which(name) or "")
    return folder


def install_apt(programs: Path, case: str) -> None:
    """Programs of apt that know a mirror, and do as a branch of a shell's `case` says."""
    script = f"""#!/bin/sh
for word; do
  case $word in
    indextargets) echo http://mirror.invalid ;;
    depends) echo mysql-server-core ;;
    {case}
  esac
done
"""
    for name in ("apt-get", "apt-cache", "dpkg-deb"):
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)


def make(*arguments: str, programs: Path, ci: str = "") -> subprocess.CompletedProcess[str]:
    """Run make where `.mysql` is a folder that does not exist."""
    command = ["make", "--silent", f"MYSQL={programs.parent / 'none'}", *arguments]
    environment = {"PATH": str(programs), "CI": ci, "TMPDIR": str(programs.parent)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("ci", ["", "true"])
def test_a_machine_without_apt_tests_without_mysql(programs: Path, ci: str) -> None:
    done = make("try-mysql", programs=programs, ci=ci)
    assert (done.returncode, done.stderr) == (0, "MySQL cannot be fetched: this machine has no apt\n")


@pytest.mark.parametrize("ci", ["", "true"])
@pytest.mark.parametrize("case", [NOT_DEBIAN, NO_PACKAGE])
def test_a_mirror_without_mysql_is_told_and_nothing_else(programs: Path, case: str, ci: str) -> None:
    install_apt(programs, case)
    done = make("try-mysql", programs=programs, ci=ci)
    assert done.returncode == 0, done.stderr
    assert "MySQL cannot be fetched: apt's mirror" in done.stderr


@pytest.mark.parametrize("case", [NO_ANSWER, NO_FILES])
def test_a_mirror_that_fails_is_an_error_in_ci_alone(programs: Path, case: str) -> None:
    install_apt(programs, case)
    for ci, code in (("", 0), ("false", 0), ("true", 2)):
        done = make("try-mysql", programs=programs, ci=ci)
        assert done.returncode == code, done.stderr
        assert "MySQL cannot be fetched: apt's mirror" in done.stderr


def test_any_other_failure_is_an_error_everywhere(programs: Path) -> None:
    install_apt(programs, NO_FILES)
    (programs / "mkdir").unlink()
    assert make("try-mysql", programs=programs).returncode == 2


def test_to_ask_for_mysql_where_there_is_none_is_an_error(programs: Path) -> None:
    assert make("mysql", programs=programs).returncode == 2


def test_the_last_thing_that_make_test_says_is_that_mysql_was_not_tested(programs: Path) -> None:
    last = make("--dry-run", "test", programs=programs).stdout.splitlines()[-1]
    done = subprocess.run(["sh", "-c", last], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("MySQL was not tested")


def test_without_mysql_its_tests_are_skipped_with_the_way_to_get_it_and_the_end_says_so() -> None:
    script = """
import sys
from pathlib import Path
import pytest
from tests.servers import mysql
mysql.ROOT = Path("/nowhere")
sys.exit(pytest.main(["-rs", "-p", "no:cacheprovider", "tests/test_servers.py", "-k", "own_arguments"]))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "`make mysql` fetches it" in done.stdout.partition("short test summary")[2]
    assert "MySQL was not tested, 1 tests were skipped" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout
