"""DuckDB as source (`type: duckdb` in tables.yaml): one file on this host, for demos and tests."""
