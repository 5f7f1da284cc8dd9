"""What every package says alike: numbers of things, and the valid word nearest to a wrong one."""

from wmtui.texts import count, did_you_mean, nearest


def test_one_is_singular_and_thousands_are_separated() -> None:
    assert [count(number, "file") for number in (0, 1, 2000)] == ["0 files", "1 file", "2,000 files"]


def test_the_nearest_valid_words_are_suggested_the_most_similar_first() -> None:
    assert nearest("ordrs", ["items", "orders_old", "orders"], most=2) == ["orders", "orders_old"]
    assert did_you_mean("ordrs", ["orders", "items"], "see the list") == "did you mean orders?"
    assert did_you_mean("ordrs", ["orders", "orders_old"], "", most=2) == "did you mean orders or orders_old?"
    assert did_you_mean("ordrs", ["orders"], "", quoted="{!r}") == "did you mean 'orders'?"


def test_a_word_like_none_gets_the_other_next_step() -> None:
    assert did_you_mean("xyz", ["orders"], "see the list") == "see the list"
