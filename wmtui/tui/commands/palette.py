"""The command palette: every action as "area: verb"."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from wmtui.tui.keys.actions import ACTIONS, CHANGES, Action, format_key

if TYPE_CHECKING:
    from wmtui.tui.app import WmtuiApp


class Commands(Provider):
    """Finds actions by title."""

    async def discover(self) -> Hits:
        """All of them, in the order of the help."""
        for action in self._offered():
            yield DiscoveryHit(action.title, self._doing(action), help=_keys(action))

    async def search(self, query: str) -> Hits:
        """Those whose title matches."""
        matcher = self.matcher(query)
        for action in self._offered():
            score = matcher.match(action.title)
            if score > 0:
                yield Hit(score, matcher.highlight(action.title), self._doing(action), help=_keys(action))

    def _offered(self) -> list[Action]:
        app = cast("WmtuiApp", self.app)
        refused = CHANGES if app.service.workspace.read_only else set()
        return [a for a in ACTIONS if a.name.split("(")[0] not in refused and a.name != "back"]

    def _doing(self, action: Action) -> Callable[[], Awaitable[bool]]:
        return partial(self.app.run_action, action.name)


def _keys(action: Action) -> str:
    return f"key {format_key(action.keys.split(',')[0])}"
