"""The extracting half of a sync: from rows of the source to durable parts that a committed run document lists.

`extract_table` is the whole story in order: it checks the source (`source_check`, `continuity`) and what an earlier run
left (`pending_run`), plans what to read (`plan_extraction`, which asks, and `plan`, the pure rules), and lets a
`SpanReader` read and a `RunWriter` write. The reader leaves out rows of the overlap that are known (`overlap`), refuses
what the warehouse cannot hold (`limits`), and makes parts of the rest (`part_writer`). `schema_changes` says what
became of columns. `preview` plans the same and writes nothing.
"""
