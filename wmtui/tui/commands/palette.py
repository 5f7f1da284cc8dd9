"""The command palette: every action as "area: verb"."""

from collections.abc import Callable
from functools import partial
from typing import cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from wmtui.tui.shell import Action, Shell, format_key


def open_palette(shell: Shell) -> None:
    """Find an action by a word of its title."""
    shell.open_palette()


class ActionProvider(Provider):
    """Finds actions by title."""

    async def discover(self) -> Hits:
        """All of them, in the order of the help."""
        for action in self._offered():
            yield DiscoveryHit(action.title, self._run(action), help=_keys(action))

    async def search(self, query: str) -> Hits:
        """Those whose title matches."""
        matcher = self.matcher(query)
        for action in self._offered():
            score = matcher.match(action.title)
            if score > 0:
                yield Hit(score, matcher.highlight(action.title), self._run(action), help=_keys(action))

    @property
    def _shell(self) -> Shell:
        """The application: Textual makes providers, and tells them no more than that."""
        return cast("Shell", self.app)

    def _offered(self) -> list[Action]:
        """Without what is refused, and without going back, which would be a step out of the palette."""
        read_only = self._shell.service.workspace.read_only
        return [a for a in self._shell.actions if not (read_only and a.changes) and a.id != "view.back"]

    def _run(self, action: Action) -> Callable[[], None]:
        return partial(self._shell.run_command, action.command)


def _keys(action: Action) -> str:
    return f"key {format_key(action.keys.split(',')[0])}"
