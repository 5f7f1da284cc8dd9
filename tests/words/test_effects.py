"""What moving a watermark changes, in words: losses first, each in the tone of what it is."""

from datetime import timedelta

from wmtui.service import Effect
from wmtui.words.effects import lines
from wmtui.words.styled import Tone

NOTHING = Effect(entering=0, size=0, rows=0, rows_known=0, leaving=0, loaded=0, moved=timedelta(0))
BACK = Effect(entering=2, size=2000, rows=9, rows_known=1, leaving=0, loaded=1, moved=timedelta(hours=-3))
FORWARD = Effect(entering=1, size=500, rows=0, rows_known=0, leaving=3, loaded=0, moved=timedelta(days=1))


def said(effect: Effect) -> list[tuple[str, Tone]]:
    return [(str(line), line.tone) for line in lines(effect)]


def test_a_point_that_changes_nothing_says_so() -> None:
    assert said(NOTHING) == [("no file enters", Tone.PLAIN)]
    assert (NOTHING.loses, NOTHING.reads_again) == (False, False)


def test_going_back_lets_files_in_and_reads_rows_again() -> None:
    assert said(BACK) == [
        ("+2 files, 2.0 kB, at least 9 rows", Tone.GOOD),
        ("1 already loaded is skipped", Tone.PLAIN),
        ("rows of 3 h are read again", Tone.PLAIN),
    ]
    assert BACK.reads_again
    assert not BACK.loses


def test_going_forward_names_what_would_never_come_first() -> None:
    assert said(FORWARD) == [
        ("✗ 3 files waiting now would not be loaded any more", Tone.BAD),
        ("✗ rows of 1 d are passed over: they are not read any more", Tone.BAD),
        ("+1 file, 500 B", Tone.GOOD),
    ]
    assert FORWARD.loses
