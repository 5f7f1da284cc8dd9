"""What a load says in the log: which files it takes and leaves out, and which columns it gave the target."""

from collections.abc import Sequence

from wmtui.events import Severity
from wmtui.files.selection import Selection
from wmtui.files.summary import explain
from wmtui.pipeline.context import Job


def report_selection(job: Job, selection: Selection) -> None:
    """The lines an operator looks for in the log."""
    job.tell(selection.basis.describe(), Severity.DEBUG)
    job.tell(str(selection.summary))
    listing = selection.listing
    if not listing.candidates:
        job.tell(f"nothing found under {' and '.join(listing.prefixes)}")
    for names, why in ((listing.unparsed, "not Parquet files"), (listing.ambiguous, "fit two configured tables")):
        if names:
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            job.tell(f"ignored, {why}: {shown}", Severity.WARNING)
    _report_held_back(job, selection)
    if selection.summary.hint:
        urgent = selection.summary.held_back or not job.options.extract
        job.tell(selection.summary.hint, Severity.INFO if urgent else Severity.DEBUG)


def report_added_columns(job: Job, target: str, added: Sequence[str], loaded_before: Sequence[str]) -> None:
    """Say which columns a load gave the target, and what fills them in the rows it had.

    loaded_before: columns of the target that earlier loads of this table brought.
    """
    if not added:
        return
    before = {column.casefold() for column in loaded_before}
    lost = [column for column in added if column.casefold() in before]
    way = (
        f"`wmtui watermark reset -t {job.table}`, then a sync, fills them from the source"
        if job.config.primary_key
        else "without a primary key no sync can fill them"
    )
    text = f"{target} has new columns, NULL in the rows it had: {', '.join(added)}"
    dropped = f" ({', '.join(lost)}: loaded before, and dropped from the target since)" if lost else ""
    job.tell(f"{text}{dropped}; {way}", Severity.WARNING)


def _report_held_back(job: Job, selection: Selection) -> None:
    """Which files this load leaves out although they were not given up."""
    left = [verdict for verdict in selection.verdicts if verdict.held_back]
    if left:
        shown = ", ".join(v.file.key for v in left[:3]) + (f" and {len(left) - 3} more" if len(left) > 3 else "")
        count = "1 file is" if len(left) == 1 else f"{len(left)} files are"
        reasons = ", ".join(dict.fromkeys(explain(v, selection.loaded) for v in left[:3]))
        job.tell(f"{count} held back: {shown}; {reasons}", Severity.WARNING)
