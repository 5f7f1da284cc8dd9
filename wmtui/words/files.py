"""Files and what becomes of them, in words and glyphs."""

from wmtui.files.selection import Selection
from wmtui.files.summary import Summary
from wmtui.files.verdicts import Outcome, Verdict, VerdictReason
from wmtui.texts import count
from wmtui.words import values
from wmtui.words.styled import Glyph, Styled, Tone

_GLYPHS = {
    Outcome.NEXT: Glyph.GOOD,
    Outcome.LOADED: Glyph.QUIET,
    Outcome.HELD_BACK: Glyph.WARN,
    Outcome.OUT: Glyph.QUIET,
}


def label(verdict: Verdict) -> Styled:
    """What a verdict comes to, with its glyph."""
    return Styled.marked(_GLYPHS[verdict.outcome], verdict.outcome)


def hint(summary: Summary) -> Styled:
    """What would let files in; it warns where there is something to do about files that were not loaded."""
    warns = summary.enter_at is not None or summary.held_back or summary.reasons.get(VerdictReason.LOADED)
    return Styled(summary.hint, Tone.WARN if warns else Tone.PLAIN)


def held_back(selection: Selection) -> str:
    """What a load leaves although it was not given up: `3 files, 1.2 MB, 9,216 rows`; "" for nothing."""
    files = selection.held_back_files
    if not files:
        return f"{count(selection.held_back, 'file')} of older days" if selection.held_back else ""
    rows = [file.part.rows for file in files if file.part is not None and file.part.rows is not None]
    known = "" if not rows else f", {'' if len(rows) == len(files) else 'at least '}{count(sum(rows), 'row')}"
    return f"{count(len(files), 'file')}, {values.size(sum(file.size for file in files))}{known}"
