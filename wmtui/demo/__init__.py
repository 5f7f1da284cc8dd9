"""The demo: a sandbox with an embedded source, store and warehouse, whose tables are in every state there is."""

import wmtui.mysql_library  # noqa: F401
from wmtui.demo.sandbox import open_demo

__all__ = ["open_demo"]
