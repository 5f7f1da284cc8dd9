"""Run the benchmarks named, or all of them: `python -m benchmarks [NAME …]`; the names are those of `BENCHMARKS`."""

import compileall
import sys
from pathlib import Path

import wmtui
from benchmarks import command, listing, merges, screen, sync, verdicts, verify

BENCHMARKS = {
    "verdicts": verdicts.main,
    "command": command.main,
    "screen": screen.main,
    "sync": sync.main,
    "merges": merges.main,
    "verify": verify.main,
    "listing": listing.main,
}


def main(names: list[str]) -> int:
    """Run each benchmark and print its figures; exit 2 for a name that is none."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}: there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    compileall.compile_dir(str(Path(wmtui.__file__).parent), quiet=1)  # as pip does when it installs
    for name in names or BENCHMARKS:
        print(f"== {name}", flush=True)
        BENCHMARKS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
