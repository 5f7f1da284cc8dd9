"""wmtui: the cockpit of an incremental MySQL → S3 → Redshift pipeline."""

import importlib
from contextlib import suppress

# The C extension of the MySQL driver must be loaded before pyarrow, which leaves it no static thread-local storage, and
# after ssl, or it brings an OpenSSL of its own. It takes 3 ms; reading without it is five times slower.
with suppress(ImportError):
    importlib.import_module("ssl")
    importlib.import_module("_mysql_connector")
