"""`--dry-run`: what a sync would do now."""

from collections.abc import Sequence
from typing import Any

from wmtui.cli import files
from wmtui.cli.invocation import Invocation
from wmtui.errors import ExitCode
from wmtui.service import Preview, Request
from wmtui.texts import count
from wmtui.words import files as words
from wmtui.words.values import point, wall


def exit_code(preview: Preview, request: Request) -> ExitCode:
    """What the sync of this table would end with, as far as it can be known."""
    if preview.error is not None:
        return preview.error.exit_code
    if preview.selection is None:
        return ExitCode.DONE
    held_back = preview.selection.summary.only_held_back
    return ExitCode.NOTHING_SELECTED if request.redshift_only and held_back else ExitCode.DONE


def show_plan(invocation: Invocation, request: Request, previews: Sequence[Preview], code: ExitCode) -> None:
    """Print every table's plan, and why there is none."""
    if invocation.options.json:
        tables = [_as_json(preview, exit_code(preview, request)) for preview in previews]
        invocation.console.json({"exit_code": int(code), "tables": tables})
    else:
        for preview in previews:
            _show(invocation, preview)
    for preview in previews:
        if preview.error is not None:
            invocation.report(preview.error)


def _show(invocation: Invocation, preview: Preview) -> None:
    console, zone, plan = invocation.console, invocation.service.workspace.zone, preview.plan
    console.data(f"{preview.table} ({preview.mode})")
    if plan is not None:
        low = "the beginning" if plan.low is None else point(plan.low, zone)
        console.data(f"extract: {low} to {point(plan.high, zone)}, {plan.origin}")
        spans = count(len(plan.spans), "span")
        console.data(f"         {plan.strategy.value}, {spans}, about {count(preview.estimate or 0, 'row')}")
    if preview.selection is not None:
        console.data("load:" if plan is None else "load, besides the parts still to be written:")
        files.show_files(invocation, preview.selection)
        if plan is not None and preview.selection.held_back:
            left = words.held_back(preview.selection)
            console.data(f"this sync leaves behind {left}: no later one takes them by itself")
    console.data("")


def _as_json(preview: Preview, code: ExitCode) -> dict[str, Any]:
    plan, selection, error = preview.plan, preview.selection, preview.error
    return {
        "table": str(preview.table),
        "code": int(code),
        "mode": preview.mode,
        "extract": plan
        and {
            "low": None if plan.low is None else wall(plan.low),
            "high": wall(plan.high),
            "origin": plan.origin,
            "strategy": plan.strategy.value,
            "order": plan.order.value,
            "spans": len(plan.spans),
            "estimated_rows": preview.estimate,
        },
        "load": selection and files.as_json(preview.table, selection),
        "error": None if error is None else error.failure,
    }
