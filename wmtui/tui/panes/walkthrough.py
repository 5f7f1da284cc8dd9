"""The demo's line of next steps, below the status bar."""

from wmtui.tui.state.walkthrough import Step, Walkthrough
from wmtui.tui.widgets.cells import StaticLines


class WalkthroughLine(StaticLines):
    """Shows the next step until the last one is done, or somebody hides it."""

    def __init__(self, *, active: bool) -> None:
        super().__init__(id="walkthrough")
        self._walkthrough = Walkthrough() if active else None

    def on_mount(self) -> None:
        """Take no line where there is no walkthrough."""
        self._show_step()

    def done(self, step: Step) -> None:
        """Go on to what follows a step."""
        if self._walkthrough is not None:
            self._walkthrough.done(step)
            self._show_step()

    def hide(self) -> None:
        """End the walkthrough."""
        self._walkthrough = None
        self._show_step()

    def _show_step(self) -> None:
        self.display = self._walkthrough is not None
        if self._walkthrough is not None:
            self.show([[("demo ", "strong"), (self._walkthrough.text, "")]])
