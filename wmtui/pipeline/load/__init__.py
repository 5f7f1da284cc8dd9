"""The loading half of a sync: from committed files to rows in the warehouse, in one transaction with the ledger.

`load_table` is the whole story in order. `table_ledger` reads what the warehouse has of the table, and records loads
that the store lacks; `ledger_findings` are the pure rules for what does not fit between the two. `missing_files`
refuses a load that would leave rows out. `load_request` says what to load, `file_reader` opens each file in the version
that was chosen, and `refused_rows` explains why the warehouse refused. `load_report` writes the lines of the log,
`lock_notes` what later loads need not look at again.
"""
