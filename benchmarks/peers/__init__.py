"""Other programs that do the same work, each in an environment below `.benchmarks/`, with pinned versions."""

import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("BENCH_CACHE", Path(__file__).parents[2] / ".benchmarks"))


class Unavailable(Exception):
    """A peer cannot take part; the text says why."""


@dataclass(frozen=True)
class Peer:
    """name: of its file of requirements. program: what the environment has in `bin` once it is installed."""

    name: str
    program: str

    @property
    def requirements(self) -> Path:
        return HERE / f"{self.name}.txt"

    def install(self) -> Path:
        """The program's path; made once for a file of requirements. Raises Unavailable."""
        digest = blake2b(self.requirements.read_bytes() + sys.version.encode(), digest_size=6).hexdigest()
        folder = CACHE / f"{self.name}-{digest}"
        if not (folder / "installed").exists():
            shutil.rmtree(folder, ignore_errors=True)
            print(f"installing {self.name} into {folder}", file=sys.stderr, flush=True)
            venv.create(folder, with_pip=True)
            done = subprocess.run(
                [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", self.requirements],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if done.returncode:
                last = [line for line in done.stdout.splitlines() if not line.startswith("WARNING")][-1:]
                raise Unavailable(f"{self.name} could not be installed: {' '.join(last)}")
            (folder / "installed").touch()
        program = folder / "bin" / self.program
        if not program.exists():
            raise Unavailable(f"{self.name} has no {self.program}")
        return program

    def versions(self) -> dict[str, str]:
        """The pinned packages."""
        lines = self.requirements.read_text(encoding="utf-8").splitlines()
        return dict(line.split("==") for line in lines if "==" in line)


DLT = Peer("dlt", "python")
INGESTR = Peer("ingestr", "ingestr")
RIVET = Peer("rivet", "rivet")
PEERS = (DLT, INGESTR, RIVET)
