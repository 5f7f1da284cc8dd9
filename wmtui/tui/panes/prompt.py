"""The line at the bottom in which a filter or a search is typed."""

from textual.widgets import Footer, Input


class Prompt(Input):
    """Hidden until it is asked for; then it takes the footer's line, so that nothing else moves."""

    def __init__(self) -> None:
        super().__init__(id="prompt")
        self.searches_log = False
        """What is typed is for the log, not for the tables."""

    def open(self, *, searches_log: bool, text: str) -> None:
        """Show it with a text and give it the focus."""
        self.searches_log = searches_log
        self._show(True)
        self.placeholder = "search the log" if searches_log else "filter tables by name, mode or problem"
        self.value = text
        self.focus()

    def close(self) -> None:
        """Hide it; the footer is back."""
        self._show(False)

    def _show(self, on: bool) -> None:
        self.display = on
        self.screen.query_one(Footer).display = not on
