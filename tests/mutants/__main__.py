"""`python -m tests.mutants [MODULE …]`: change the rules that matter, place by place, and see whether a test fails.

The modules and their tests are those of pyproject.toml's `tool.mutants`; one is named by the end of its path. A second
call goes on where the first ended, and tries again what survived. Exit 1 below the score that is asked for.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant

from tests.mutants.prepare import copy_repository
from tests.mutants.result import Equivalents, Tally, status

WORK = Path("build/mutants")
LEAST = 95.0
"""Per cent of the mutants not listed as equivalent that tests have to notice."""
WITHOUT_SERVERS = "not (servers or s3 or mysql or mariadb or postgres or redshift or pooler)"
_QUICK = "-p no:unraisableexception -p no:threadexception"
"""What a mutant leaves does not matter; looking for it takes longer than most tests."""
MUTMUT = str(Path(sys.executable).with_name("mutmut").absolute())


class Module:
    """One module, with a copy of the repository of its own. path: of its file. tests: what holds its rules."""

    def __init__(self, path: str, tests: list[str]) -> None:
        self.path = path
        self.tests = tests
        self._work = WORK / Path(path).stem

    def codes(self) -> dict[str, int | None]:
        """How pytest ended for each mutant; None: not tried yet."""
        known = self._work / "mutants" / f"{self.path}.meta"
        found: dict[str, int | None] = json.loads(known.read_text())["exit_code_by_key"] if known.exists() else {}
        return found

    def try_all(self, workers: int) -> None:
        """Try every mutant that no test has noticed yet."""
        selection = ["-k", WITHOUT_SERVERS, *self.tests]
        copy_repository(
            self._work, self.path, {"only_mutate": [self.path], "pytest_add_cli_args_test_selection": selection}
        )
        if known := self.codes():
            if again := [name for name, code in known.items() if status(code) != "killed"]:
                self._run(again, workers)
        else:
            self._run([], workers)
        # A function that changed since has new mutants, and mutmut may end before it has tried all.
        left = None
        while (new := [name for name, code in self.codes().items() if code is None]) and new != left:
            left = new
            self._run(new, workers)

    def _run(self, names: list[str], workers: int) -> None:
        command = [MUTMUT, "run", "--max-children", str(workers), *names]
        environment = {**os.environ, "PYTEST_ADDOPTS": _QUICK}
        with (self._work / "log").open("w") as log:
            subprocess.run(command, cwd=self._work, check=True, stdout=log, env=environment)

    def diff(self, name: str) -> str:
        """What a mutant changes."""
        with contextlib.chdir(self._work):
            return get_diff_for_mutant(name, path=self.path)


def main() -> int:
    """Run mutmut on copies, compare what survived with the list of equivalents, print the score."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("module", nargs="*")
    parser.add_argument("-j", "--workers", type=int, default=2)
    parser.add_argument("--report", action="store_true", help="try nothing, print what is known")
    options = parser.parse_args()
    every = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["mutants"]
    modules = [
        Module(path, tests)
        for path, tests in every.items()
        if not options.module or any(path.endswith(part) for part in options.module)
    ]
    equivalents = Equivalents.read(Path("tests/mutants/equivalent.txt"))
    tallies = []
    for module in modules:
        began = time.monotonic()
        if not options.report:
            module.try_all(options.workers)
        tally = Tally.of(module.path, module.codes(), equivalents, module.diff)
        tallies.append(tally)
        print(
            *(survivor + "\n" for survivor in tally.survivors), f"{tally}, {time.monotonic() - began:.0f} s", sep="\n"
        )
    for entry in equivalents.unused([module.path for module in modules]):
        print(f"\nlisted as equivalent, but killed or gone:\n{entry}")
    print("", *tallies, Tally.total(tallies), sep="\n")
    return int(Tally.total(tallies).score < LEAST)


if __name__ == "__main__":
    sys.exit(main())
