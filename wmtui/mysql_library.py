"""Loads the C part of MySQL's driver; every package that uses pyarrow imports this first.

It must be loaded before pyarrow, which leaves it no static thread-local storage, and after ssl, or it brings an OpenSSL
of its own. It takes 10 ms, which a command that shows one document need not wait for; reading rows without it is five
times slower.
"""

import importlib
from contextlib import suppress

with suppress(ImportError):
    importlib.import_module("ssl")
    importlib.import_module("_mysql_connector")
