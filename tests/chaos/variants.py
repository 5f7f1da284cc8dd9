"""Broken variants of the product, each of which the harness must find."""

from collections.abc import Callable

VARIANTS: dict[str, Callable[[], None]] = {}
