"""How far the sync of a table has come, and how it ended, in words."""

from wmtui.events import Progress, TableResult
from wmtui.texts import count


def parts(progress: Progress) -> str:
    """Parts written, or files staged of those to load."""
    return f"{progress.parts} of {count(progress.files, 'file')}" if progress.files else count(progress.parts, "part")


def ending(result: TableResult) -> str:
    """How a table's sync ended, in a line."""
    extracted = f"{count(result.rows_extracted, 'row')} extracted into {count(result.files_written, 'file')}"
    loaded = f"{count(result.rows_loaded, 'row')} loaded from {count(result.files_loaded, 'file')}"
    return f"{result.status.value.replace('_', ' ')}, {extracted}, {loaded}, {result.seconds:.1f} s"
