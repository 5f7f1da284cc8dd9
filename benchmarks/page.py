"""The page of performance: `python -m benchmarks.page [REPORT.json]` writes it, with its plot and its JSON."""

import sys
from pathlib import Path

from rich.console import Console

from benchmarks.plot import draw
from benchmarks.report import Report, read

DOCS = Path(__file__).parent.parent / "docs"
PAGE, PLOT, FIGURES = DOCS / "performance.md", DOCS / "performance.svg", DOCS / "performance.json"
_WIDTH = 1000
HEAD = """# Performance

What a first load, a small change and a sync without news take, next to the least that any program would need and next
to other programs that do the same work. All of it is measured by one command, here or on your own servers.

## Measure it yourself

```sh
make bench           # everything: more than half an hour on two cores
make bench QUICK=1   # fewer rows and figures, some minutes
```

Both build their data, start a private MySQL, PostgreSQL and S3 over HTTP on this machine, install the other programs
into environments of their own below `.benchmarks/`, and end with the table below. The figures are in
`.benchmarks/report.json` afterwards. `make bench SOURCE=mariadb` reads MariaDB; its figures are added to the same file.
Parts run alone, and add to the same report:

```sh
.venv/bin/python -m benchmarks extraction sync --rows 2000000 --json .benchmarks/report.json
.venv/bin/python -m benchmarks sizes idle --long --json .benchmarks/report.json
.venv/bin/python -m benchmarks --help
```

On a server of your own, what a `tables.yaml` names is read in place of the private server. Nothing is written there
unless `--build` lets the tables of the benchmark be made, in a schema that is dropped afterwards:

```sh
.venv/bin/python -m benchmarks extraction sync --config tables.yaml --profile prod -t shop.orders
.venv/bin/python -m benchmarks extraction sync windows --config tables.yaml --profile prod --build
```

`.venv/bin/python -m benchmarks.page .benchmarks/report.json` writes this page with your figures.

## What tables without news cost

A sync of a table without news makes six requests to S3: two PUT, one LIST and three GET. It asks the warehouse
nothing, so that one that bills by use may sleep. At list price ($0.005 for 1,000 PUT or LIST, $0.0004 for 1,000 GET)
1,000 such tables cost, in a month of 30 days:

| every | requests | price |
|---|---|---|
| 5 minutes | 51.8 million | $140 |
| 15 minutes | 17.3 million | $47 |
| hour | 4.3 million | $12 |

A table with news makes 20 requests, and two for each further part. A process begins with two for the store itself, and
once a day with seven more, which prove that conditional writes are checked.

## How it is measured

- A round runs every program once, one after the other. Figures are medians of at least three rounds; ratios are medians
  of those within a round.
- A round is noisy when others used more than 15 % of the machine, or the client alone was 15 % off its median. It is
  run again, three times at most; where too few rounds were quiet, all count and the table says so.
- **The limit** is the server's own client that reads the rows and discards them: `mariadb --quick > /dev/null`. "Of the
  limit" is 1 for a program as fast as that.
- **The best peer** is the fastest program with the same work: a key, a merge, rows once. "× best peer" is 2 for a
  program that is twice as fast. Programs that only replace the target are shown but not compared with.
- Processor seconds are those of the program with all its children, and of MySQL, PostgreSQL and S3. Memory is summed
  over the processes of the program (proportional set size), at its peak.
- The longest statement and snapshot are those that the source has shown of all sessions, looked at every 50 ms, on
  MariaDB twice a second for snapshots.
"""


def page(report: Report) -> str:
    """The text of the page."""
    machine = report.machine
    console = Console(width=_WIDTH)
    with console.capture() as capture:
        console.print(report.table())
    table = "\n".join(line.strip() for line in capture.get().splitlines() if line.strip())
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    return (
        f"{HEAD}\n## Figures\n\n{machine.cores} cores ({machine.processor}), {machine.memory / 2**30:.0f} GiB,"
        f" {machine.system}. {versions}.\n\n![rows a second](performance.svg)\n\n{table}\n"
    )


def write(report: Report) -> None:
    """Write page, plot and figures."""
    FIGURES.write_bytes(report.to_json())
    PLOT.write_text(draw(report), encoding="utf-8")
    PAGE.write_text(page(report), encoding="utf-8")


if __name__ == "__main__":
    write(read(Path(sys.argv[1]) if sys.argv[1:] else FIGURES))
