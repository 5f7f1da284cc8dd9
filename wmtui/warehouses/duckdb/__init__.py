"""DuckDB: one file on this host, for demos and tests."""
