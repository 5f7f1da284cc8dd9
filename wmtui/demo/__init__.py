"""The demo: a sandbox with an embedded source, store and warehouse, in every state an operator meets."""

from wmtui.demo.sandbox import open_demo

__all__ = ["open_demo"]
