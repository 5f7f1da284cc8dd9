"""A sync: rows of the source become files in the store, and files become rows of the warehouse.

`strategies` spreads tables over workers, and `sync` brings one table from lease to release: it extracts (`extract`),
then loads (`load`), and notes a failure in the watermark. `context` holds what every step works with: `Scope` is enough
to plan and to choose files, `Job` adds the lease and may change things. `target_check` compares the source's columns
with the target's before the first row is read. `background` writes while the next rows are read.
"""

import wmtui.mysql_library  # noqa: F401
