"""What every dialog has: a title, a body, the equal command, buttons, and Escape, which changes nothing."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.reactive import Reactive, reactive
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input

from wmtui.errors import WmtuiError
from wmtui.tui.background import Background
from wmtui.tui.widgets.cells import Line, set_title
from wmtui.tui.widgets.paragraphs import Paragraphs

_T = TypeVar("_T")


class Dialog(ModalScreen[_T | None]):
    """A box; dismissed with None when somebody leaves it. yes: the label of the button that acts; "" for none."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave"),
        Binding("ctrl+c", "leave", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]
    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        background: $background 60%;
        & > #box {
            width: 84;
            max-width: 100%;
            height: auto;
            max-height: 100%;
            border: round $accent;
            border-title-color: $accent;
            border-title-style: bold;
            background: $surface;
            padding: 0 1;
        }
        #body { height: auto; }
        #buttons { height: 1; align-horizontal: right; margin-top: 1; }
        #buttons Button { margin-left: 2; }
        Button { min-width: 10; padding: 0 1; background: $panel; color: $foreground; }
        Button:focus { background: $accent; color: $background; text-style: bold; }
        Button:disabled { color: $dim; }
        Input { border: none; height: 1; background: $panel; padding: 0 1; margin: 0; }
        Input:focus { background: $primary 25%; border: none; }
    }
    """

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    background: Background
    """Where `ask` works; the application sets it when it opens the dialog."""

    def __init__(self, title: str, *, yes: str = "", no: str = "Cancel") -> None:
        super().__init__()
        self._title = title
        self._yes = yes
        self._no = no
        self._late = 0
        """Number of the newest question; answers to older ones are dropped."""

    def compose(self) -> ComposeResult:
        """Body, status line, command, buttons."""
        with Vertical(id="box"):
            with VerticalScroll(id="body", can_focus=False):
                yield from self.body()
            yield Paragraphs(id="said")
            yield Paragraphs(id="equal")
            with Horizontal(id="buttons"):
                yield Button(self._no, id="no", compact=True)
                if self._yes:
                    yield Button(self._yes, id="yes", disabled=True, compact=True)

    def body(self) -> ComposeResult:
        """What the dialog is about."""
        yield from ()

    def on_mount(self) -> None:
        """Textual calls the `on_mount` of every class of a widget; `begin` is called once."""
        self.begin()

    def begin(self) -> None:
        """Nothing is changed by an Enter too many: Cancel has the focus unless there is something to type."""
        set_title(self.query_one("#box"), self._title)
        inputs = self.query(Input)
        (inputs.first() if inputs else self.query_one("#no")).focus()

    def say(self, text: str, kind: str = "") -> None:
        """The line above the buttons: an error, or that something is under way."""
        self.query_one("#said", Paragraphs).show([[(text, kind)]] if text else [])

    def equal(self, command: str) -> None:
        """The command that does the same."""
        self.query_one("#equal", Paragraphs).show([[(f"same as: {command}", "dim")]] if command else [])

    def ready(self, is_ready: bool) -> None:
        """Whether the button that acts may be pressed."""
        for button in self.query("#yes").results(Button):
            button.disabled = not is_ready

    def ask(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Work in the background; only the answer to the newest question counts, and a failure is said."""
        self._late += 1
        number = self._late

        def current(go_on: Callable[[Any], None]) -> Callable[[Any], None]:
            return lambda result: go_on(result) if number == self._late and self.is_attached else None

        self.background.start(work, current(then), current(self.failed))

    def failed(self, error: WmtuiError) -> None:
        """The work did not succeed."""
        self.say(error.in_one_line, "bad")
        self.ready(False)

    def act(self) -> None:
        """Do what the dialog is for."""
        raise NotImplementedError

    def action_leave(self) -> None:
        """Change nothing."""
        self.dismiss(None)

    @on(Button.Pressed, "#no")
    def _no_pressed(self) -> None:
        self.action_leave()

    @on(Button.Pressed, "#yes")
    @on(Input.Submitted)
    def _yes_pressed(self) -> None:
        buttons = self.query("#yes").results(Button)
        if any(not button.disabled for button in buttons):
            self.act()
        else:
            self.wait()

    def wait(self) -> None:
        """Enter came before the answer that it is about."""


class Reason(Input):
    """Why; it goes into the journal."""

    def __init__(self, required: bool) -> None:
        super().__init__(placeholder="reason (required here)" if required else "reason, for the journal", id="reason")


class Toggle(Widget, can_focus=True):
    """Something that is on or off, and says so without colour."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space,enter", "switch", show=False)]
    DEFAULT_CSS = """
    Toggle { height: 1; }
    Toggle:focus { background: $primary 25%; }
    """
    on = reactive(False)

    class Changed(Message):
        """Somebody toggled it."""

    def __init__(self, text: str, *, id: str) -> None:
        super().__init__(id=id)
        self._text = text

    def render(self) -> Content:
        """A box, crossed or empty, and what it is about."""
        return Content(f"[{'x' if self.on else ' '}] {self._text}")

    def action_switch(self) -> None:
        """On, or off."""
        self.on = not self.on
        self.post_message(self.Changed())

    def on_click(self) -> None:
        """As a key does."""
        self.action_switch()


class ConfirmDialog(Dialog[str]):
    """A question with its effect; dismissed with the reason, "" for none.

    effect: lines of what will happen. typed: what has to be typed first, for what is wide. command: the equal one for
    a reason.
    """

    def __init__(
        self,
        title: str,
        effect: Sequence[Line],
        command: Callable[[str], str],
        *,
        yes: str,
        typed: str = "",
        reason_required: bool | None = None,
    ) -> None:
        super().__init__(title, yes=yes)
        self._effect = effect
        self._command = command
        self._typed = typed
        self._required = reason_required

    def body(self) -> ComposeResult:
        """The effect, and where to type."""
        yield Paragraphs(self._effect, id="effect")
        if self._typed:
            yield Paragraphs([[(f"type {self._typed} to confirm", "warn")]])
            yield Input(placeholder=self._typed, id="typed")
        if self._required is not None:
            yield Reason(self._required)

    def begin(self) -> None:
        """Cancel has the focus, unless something must be typed."""
        super().begin()
        if not self._typed:
            self.query_one("#no").focus()
        self._check()

    @property
    def reason(self) -> str:
        """What was typed as the reason."""
        return "".join(box.value.strip() for box in self.query("#reason").results(Input))

    @on(Input.Changed)
    def _check(self) -> None:
        typed = "".join(box.value.strip() for box in self.query("#typed").results(Input))
        self.ready(typed == self._typed and (bool(self.reason) or not self._required))
        self.equal(self._command(self.reason))

    def act(self) -> None:
        """Answer yes."""
        self.dismiss(self.reason)


def several(tables: Sequence[object], hidden: int) -> str:
    """How many tables a dialog is about, and how many of them nobody sees behind it."""
    return f"{len(tables)} tables" + (f", {hidden} of them hidden by the filter" if hidden else "")


def texts(*lines: str, kind: str = "") -> list[Line]:
    """Lines of one kind."""
    return [[(line, kind)] for line in lines]
