"""One table from MySQL into PostgreSQL by dlt: connectorx reads, ADBC copies Parquet; run by dlt's own Python.

`dlt_sync.py merge|replace FOLDER`, with the addresses in the environment: SOURCE_URL, TABLE, WAREHOUSE_URL.
"""

import os
import sys

import dlt
from dlt.sources.sql_database import sql_table

how, folder = sys.argv[1:]
url = os.environ["SOURCE_URL"]
table = sql_table(
    credentials=url.replace("mysql:", "mysql+pymysql:", 1),
    table=os.environ["TABLE"],
    backend="connectorx",
    backend_kwargs={"conn": url, "return_type": "arrow_stream"},
    chunk_size=100_000,
    reflection_level="full_with_precision",
)
table.apply_hints(primary_key="id", write_disposition=how)
pipeline = dlt.pipeline(
    "bench",
    pipelines_dir=folder,
    destination=dlt.destinations.postgres(os.environ["WAREHOUSE_URL"]),
    dataset_name="public",
)
info = pipeline.run(table, loader_file_format="parquet")
info.raise_on_failed_jobs()
