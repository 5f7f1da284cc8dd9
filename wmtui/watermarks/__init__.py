"""Watermarks: up to which point each table was read, and how that point moves.

A watermark is one JSON document (`model`), kept within `bounds`, in the `zones` and forms of time of `timestamps`.
`changes` has every transition of it as a pure function. `store` writes them by compare-and-swap through `documents`,
with an entry in the `journal` for each (`journal_entries`), and notices `outside_edits`.

Who may move it: the `lease` of a table, kept in its `lock_document`, and `pins`. Beside it stand `system_watermark`,
from which tables without one begin, `store_identity`, `source_progress` and `last_verification`.
"""
