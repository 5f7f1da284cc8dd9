"""The paces of a report as bars, in SVG."""

from collections.abc import Iterator
from html import escape

from benchmarks.report import Report

_WIDTH, _LEFT, _RIGHT, _LINE = 900, 300, 130, 20
_COLOURS = {"limit": "#9e9e9e", "ours": "#00897b", "peer": "#f9a825", "other": "#ffe082"}


def draw(report: Report) -> str:
    """A group of bars for each comparison, its longest bar as wide as the picture."""
    lines = list(_lines(report))
    height = (len(lines) + 1) * _LINE
    body = "\n".join(line.format(y=(number + 1) * _LINE, bar=number * _LINE + 6) for number, line in enumerate(lines))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
        ' font-family="sans-serif" font-size="13">\n'
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _lines(report: Report) -> Iterator[str]:
    for comparison in report.comparisons:
        most = max((row.pace for row in comparison.rows), default=1.0)
        yield f'<text x="8" y="{{y}}" font-weight="bold">{_text(comparison.title)}</text>'
        for row in comparison.rows:
            wide = row.pace / most * (_WIDTH - _LEFT - _RIGHT)
            yield (
                f'<text x="{_LEFT - 8}" y="{{y}}" text-anchor="end">{_text(row.name)}</text>'
                f'<rect x="{_LEFT}" y="{{bar}}" width="{wide:.1f}" height="16" fill="{_COLOURS[row.role]}"/>'
                f'<text x="{_LEFT + wide + 6:.1f}" y="{{y}}">{row.pace:,.0f} rows/s</text>'
            )


def _text(words: str) -> str:
    return escape(words).replace("{", "{{").replace("}", "}}")
