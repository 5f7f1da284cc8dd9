"""What moving a watermark changes for the next sync, in words."""

from datetime import timedelta

from wmtui.service.effects import Effect
from wmtui.texts import count
from wmtui.words import values
from wmtui.words.styled import Glyph, Styled, Tone


def lines(effect: Effect) -> list[Styled]:
    """The effect on one table, losses first."""
    return [*_losses(effect), _entering(effect), *_others(effect)]


def _losses(effect: Effect) -> list[Styled]:
    """What would never come."""
    texts = []
    if effect.leaving:
        texts.append(f"{count(effect.leaving, 'file')} waiting now would not be loaded any more")
    if effect.moved > timedelta(0):
        texts.append(f"rows of {values.span(effect.moved)} are passed over: they are not read any more")
    return [Styled.marked(Glyph.BAD, text) for text in texts]


def _entering(effect: Effect) -> Styled:
    if not effect.entering:
        return Styled("no file enters")
    least = "at least " if effect.rows_known < effect.entering else ""
    rows = f", {least}{count(effect.rows, 'row')}" if effect.rows_known else ""
    return Styled(f"+{count(effect.entering, 'file')}, {values.size(effect.size)}{rows}", Tone.GOOD)


def _others(effect: Effect) -> list[Styled]:
    texts = []
    if effect.loaded:
        texts.append(f"{effect.loaded:,} already loaded {'is' if effect.loaded == 1 else 'are'} skipped")
    if effect.reads_again:
        texts.append(f"rows of {values.span(-effect.moved)} are read again")
    return [Styled(text) for text in texts]
