"""A text, the glyph before it, and its tone: what command line and screen draw, each in its own colours."""

from enum import StrEnum

from msgspec import Struct


class Tone(StrEnum):
    """What a text's colour is to tell."""

    PLAIN = ""
    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    BUSY = "busy"
    DIM = "dim"
    STRONG = "strong"


class Glyph(StrEnum):
    """A sign before a text; each has a tone, so that nothing is told by colour alone."""

    GOOD = "✓"
    BAD = "✗"
    WARN = "!"
    BUSY = "▸"
    QUIET = "·"
    UNKNOWN = "?"

    @property
    def tone(self) -> Tone:
        """The tone of a text with this glyph."""
        return _TONES[self]


_TONES = {
    Glyph.GOOD: Tone.GOOD,
    Glyph.BAD: Tone.BAD,
    Glyph.WARN: Tone.WARN,
    Glyph.BUSY: Tone.BUSY,
    Glyph.QUIET: Tone.DIM,
    Glyph.UNKNOWN: Tone.WARN,
}


class Styled(Struct, frozen=True):
    """A text and its tone. glyph: the sign before it; None: it has none."""

    text: str
    tone: Tone = Tone.PLAIN
    glyph: Glyph | None = None

    @classmethod
    def marked(cls, glyph: Glyph, text: str) -> "Styled":
        """A text with a glyph, in that glyph's tone."""
        return cls(text, glyph.tone, glyph)

    def __str__(self) -> str:
        return self.text if self.glyph is None else f"{self.glyph} {self.text}"
