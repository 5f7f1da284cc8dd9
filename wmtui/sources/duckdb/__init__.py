"""DuckDB as source (`embedded` in tables.yaml): one file on this host, for demos and tests."""
