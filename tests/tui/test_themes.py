"""Themes: those shipped can be read by people, the user's own are taken, and a bad one is told and never fatal."""

from pathlib import Path

import pytest
from textual.color import Color

from tests.tui.conftest import Open
from wmtui.errors import ConfigError
from wmtui.tui import themes

SHIPPED = sorted(path.stem for path in themes.SHIPPED.glob("*.yaml"))
GOOD = (themes.SHIPPED / "paper.yaml").read_text()


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2.2, success criterion 1.4.3."""

    def luminance(text: str) -> float:
        parts = [c / 255 for c in Color.parse(text).rgb]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_there_are_six_or_more_two_of_them_light() -> None:
    found = [themes.read(themes.path_of(name)) for name in SHIPPED]

    assert len(found) >= 6
    assert sum(not theme.dark for theme in found) >= 2


@pytest.mark.parametrize("name", SHIPPED)
def test_every_text_can_be_read_on_every_ground(name: str) -> None:
    theme = themes.read(themes.path_of(name))
    least = 7.0 if name == "contrast" else 4.5
    grounds = [str(ground) for ground in (theme.background, theme.surface)]
    statuses = {status: theme.variables[status] for status in ("good", "bad", "warn", "busy")}
    for ground in grounds:
        for what, colour in {"text": str(theme.foreground), "accent": str(theme.accent), **statuses}.items():
            assert contrast(colour, ground) >= least, f"{what} {colour} on {ground}"
        assert contrast(theme.variables["dim"], ground) >= 3.0


def test_statuses_differ_for_people_who_confuse_red_and_green() -> None:
    theme = themes.read(themes.path_of("isles"))
    blue, orange = Color.parse(theme.variables["good"]), Color.parse(theme.variables["bad"])

    assert blue.b - blue.r > 60
    assert orange.r - orange.b > 60


async def test_a_theme_is_previewed_under_the_cursor_kept_by_enter_and_put_back_by_escape(open_screen: Open) -> None:
    async with open_screen() as screen:
        assert screen.app.theme == themes.DEFAULT
        await screen.press("T")
        await screen.see("Theme", "paper", "contrast")
        await screen.press("down")
        assert screen.app.theme not in (themes.DEFAULT, "")
        await screen.press("escape")
        assert screen.app.theme == themes.DEFAULT
        await screen.press("T")
        await screen.type("paper")
        assert screen.app.theme == "paper"
        await screen.press("enter")
        assert screen.app.theme == "paper"
    async with open_screen() as screen:
        assert screen.app.theme == "paper"


async def test_a_users_theme_is_offered_and_takes_the_place_of_one_of_its_name(
    open_screen: Open, own_folder: Path
) -> None:
    folder = own_folder / "config" / "wmtui" / "themes"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(GOOD)
    (folder / "harbour.yaml").write_text(GOOD)
    async with open_screen() as screen:
        assert screen.app.current_theme.dark is False
        await screen.press("T")
        await screen.see("mine  your own")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{: [", "while parsing"),
        ("name: x\n", "missing required field"),
        (GOOD.replace("surface:", "surfaces:"), "surface"),
        (GOOD.replace('good: "', 'good: "nothing like a colour '), "good is"),
    ],
)
async def test_a_bad_theme_is_told_by_file_and_reason_and_ours_is_shown(
    open_screen: Open, own_folder: Path, text: str, why: str
) -> None:
    folder = own_folder / "config" / "wmtui"
    (folder / "themes").mkdir(parents=True)
    (folder / "themes" / "mine.yaml").write_text(text)
    (folder / "preferences.yaml").write_text("theme: mine\n")
    async with open_screen() as screen:
        assert screen.app.theme == themes.DEFAULT
        await screen.hear("mine.yaml", why)


def test_a_theme_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match="there are contrast, daylight"):
        themes.path_of("nothing")
    with pytest.raises(ConfigError):
        themes.path_of("../themes/paper")
