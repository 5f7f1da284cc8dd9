"""`--dry-run`: what a sync would do now."""

from collections.abc import Sequence
from typing import Any

from wmtui.cli import files
from wmtui.cli.invocation import Invocation
from wmtui.cli.progress import tell
from wmtui.cli.wording import count, point
from wmtui.errors import ExitCode, WmtuiError
from wmtui.files.verdicts import Reason
from wmtui.pipeline.events import Event, Message
from wmtui.service import Preview, Request
from wmtui.watermarks.timestamps import format_wall


def show_plan(invocation: Invocation, request: Request) -> Sequence[ExitCode]:
    """Print every table's plan; returns the exit codes the run would have, as far as they can be known."""

    def emit(event: Event) -> None:
        if isinstance(event, Message):
            tell(invocation.console, event)

    previews = invocation.service.syncs.preview(request, emit=emit)
    if invocation.options.json:
        invocation.console.json({"tables": [_as_json(preview) for preview in previews]})
    else:
        for preview in previews:
            _show(invocation, preview)
    for preview in previews:
        if preview.error is not None:
            invocation.report(preview.error)
    return [_exit_code(preview, request) for preview in previews]


def _exit_code(preview: Preview, request: Request) -> ExitCode:
    if preview.error is not None:
        return preview.error.exit_code
    summary = preview.selection.summary if preview.selection else None
    if summary is not None and Reason.REPLACED in summary.reasons:
        return ExitCode.TABLE_FAILED
    held_back = request.redshift_only and summary is not None and summary.held_back
    return ExitCode.NOTHING_SELECTED if held_back else ExitCode.DONE


def _show(invocation: Invocation, preview: Preview) -> None:
    console, zone = invocation.console, invocation.service.workspace.zone
    console.data(f"{preview.table} ({preview.mode})")
    plan = preview.plan
    if plan is not None:
        low = "the beginning" if plan.low is None else point(plan.low, zone)
        console.data(f"extract: {low} to {point(plan.high, zone)}, {plan.origin}")
        spans = count(len(plan.spans), "span")
        console.data(f"         {plan.strategy.value}, {spans}, about {count(preview.estimate or 0, 'row')}")
    if preview.selection is not None:
        console.data("load:" if plan is None else "load, besides the parts still to be written:")
        files.show_files(invocation, preview.selection)
    console.data("")


def _as_json(preview: Preview) -> dict[str, Any]:
    plan, selection, error = preview.plan, preview.selection, preview.error
    return {
        "table": str(preview.table),
        "mode": preview.mode,
        "extract": plan
        and {
            "low": None if plan.low is None else format_wall(plan.low),
            "high": format_wall(plan.high),
            "origin": plan.origin,
            "strategy": plan.strategy.value,
            "order": plan.order.value,
            "spans": len(plan.spans),
            "estimated_rows": preview.estimate,
        },
        "load": selection and files.as_json(preview.table, selection),
        "error": _described(error),
    }


def _described(error: WmtuiError | None) -> str | None:
    return None if error is None else str(error)
