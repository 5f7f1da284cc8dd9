"""What is known to be secret is left out of every text, in whatever form it stands there."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from wmtui.errors import StoreError
from wmtui.secrets import forget_all, know, know_address, know_environment, redact, redacted

WORD = "p@ss w/rd+é'\\9"


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """Every test begins without secrets."""
    forget_all()
    yield
    forget_all()


@pytest.mark.parametrize(
    "form",
    [
        WORD,
        quote(WORD, safe=""),
        quote(WORD),
        quote(WORD, safe="").lower(),
        "p@ss w/rd+\\u00e9'\\\\9",
        WORD.replace("'", "''"),
        repr(WORD)[1:-1],
    ],
)
def test_a_secret_is_found_in_every_form(form: str) -> None:
    know(WORD)
    assert redact(f"login with <{form}> failed") == "login with <***> failed"


def test_the_longest_of_several_is_hidden_whole() -> None:
    know("horse-battery")
    know("correct-horse-battery-staple")
    assert redact("correct-horse-battery-staple, horse-battery") == "***, ***"


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("abc", "abc abc", "abc abc"),
        ("test", "the latest test failed", "the latest *** failed"),
        ("orders1", "shop.orders1 and shop.orders12", "shop.*** and shop.orders12"),
        ("hunter2hunter2", "xhunter2hunter2y", "x***y"),
    ],
)
def test_a_short_secret_hides_whole_words_only_and_a_tiny_one_nothing(secret: str, text: str, shown: str) -> None:
    know(secret)
    assert redact(text) == shown


def test_values_are_redacted_to_their_depth() -> None:
    know("correct-horse")
    document = {"a": ["correct-horse", {"correct-horse": "x correct-horse"}], "n": 1, "none": None}
    assert redacted(document) == {"a": ["***", {"***": "x ***"}], "n": 1, "none": None}


def test_the_environment_tells_its_secrets_also_those_in_addresses() -> None:
    know_environment(
        {
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI\n",
            "AWS_SESSION_TOKEN": "FwoGZXIvYXdzEJr",
            "https_proxy": "http://someone:proxy%20word@proxy:3128",
            "HOME": "/root/home",
        }
    )
    text = "wJalrXUtnFEMI FwoGZXIvYXdzEJr 'proxy word' proxy%20word /root/home"
    assert redact(text) == "*** *** '***' *** /root/home"


@pytest.mark.parametrize(
    ("address", "holds"),
    [
        ("https://s3.example", False),
        ("https://user:long-password@s3.example/x", True),
        ("long-password@db", True),
        ("s3://key:long-password@bucket/prefix", True),
        ("https://[::1", False),
    ],
)
def test_an_address_tells_whether_it_holds_credentials(address: str, holds: bool) -> None:
    assert know_address(address) is holds
    assert "long-password" not in redact(address)


def test_an_error_holds_no_known_secret() -> None:
    know("correct-horse")
    error = StoreError("cannot read correct-horse", "correct-horse!", "drop correct-horse")
    assert "correct-horse" not in f"{error} {error.args} {error.in_one_line} {error.next_step}"
