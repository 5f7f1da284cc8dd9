"""Moving the system watermark, where every table without one of its own begins."""

from datetime import datetime

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from wmtui.errors import WmtuiError
from wmtui.service import Service
from wmtui.tui.cli_equivalent import CliEquivalent
from wmtui.tui.dialogs.base import Dialog, Reason
from wmtui.tui.dialogs.edit import SETTLE_SECONDS
from wmtui.tui.widgets.paragraphs import Paragraphs
from wmtui.words import values


class SystemDialog(Dialog[str]):
    """Asks for the point, and for the profile's name, for many tables may depend on it; dismissed with the point."""

    def __init__(self, service: Service, cli: CliEquivalent) -> None:
        super().__init__("Set the system watermark", yes="Set")
        self._service = service
        self._cli = cli
        self._good = False

    def body(self) -> ComposeResult:
        """Effect, point, confirmation."""
        yield Paragraphs([[("every table without a watermark of its own is read and loaded from there", "warn")]])
        yield Paragraphs([[("reading…", "dim")]], id="meaning")
        yield Input(placeholder="2025-08-04, 3h ago, or a preset", id="point")
        yield Input(placeholder=f"type {self._typed} to confirm", id="typed")
        yield Reason(self._service.workspace.settings.profile.protected)

    def begin(self) -> None:
        """Read where it stands."""
        super().begin()
        self.ask(self._service.watermarks.system, self._show)

    @property
    def _typed(self) -> str:
        return self._service.workspace.settings.profile_name

    def _value(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value.strip()

    def _show(self, wall: datetime | None) -> None:
        zone = self._service.workspace.zone
        text = f"now: {values.point(wall, zone)}"
        self.query_one("#meaning", Paragraphs).show([[(text, "dim")]])

    @on(Input.Changed, "#point")
    def _point_changed(self) -> None:
        self._good = False
        self._check()
        self.set_timer(SETTLE_SECONDS, self._judge)

    @on(Input.Changed)
    def _check(self) -> None:
        required = self._service.workspace.settings.profile.protected
        reason = self._value("reason")
        self.ready(self._good and self._value("typed") == self._typed and (bool(reason) or not required))
        self.show_command(self._cli.command("watermark", "set", self._value("point") or "…", "--yes", reason=reason))

    def _judge(self) -> None:
        point = self._value("point")
        if point:
            self.ask(lambda: self._service.watermarks.point(point), self._understood)

    def _understood(self, wall: datetime) -> None:
        self._good = True
        self.say(f"→ {values.point(wall, self._service.workspace.zone)}", "strong")
        self._check()

    def failed(self, error: WmtuiError) -> None:
        """Show that it is no point, or that it was not saved."""
        self._good = False
        super().failed(error)

    def act(self) -> None:
        """Set the system watermark."""
        point, reason = self._value("point"), self._value("reason") or None
        set_system = self._service.watermarks.set_system
        self.ask(lambda: set_system(point, confirmed=True, reason=reason), self._moved)

    def _moved(self, wall: datetime) -> None:
        self.dismiss(values.wall(wall))
