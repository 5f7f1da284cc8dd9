"""Is the warehouse what the source was at the watermark's position?

`verify_table` compares one table. It takes from `comparison_inputs` what runs have read and loads have loaded, reads
the warehouse and then the source, brings both to the forms that the target keeps (`target_forms`) and to comparable
bytes (`row_encoding`), marks which source rows to expect (`expected_rows`) and which lie in files that are not loaded
(`unloaded_files`), and compares key by key (`row_differences`) what is put aside on disk (`spool`). `problems` says why
the warehouse is not right and what to do, with `gap_causes` for who left rows out. `result` holds the values that are
returned, and needs neither database nor Arrow: it is all that is exported here.
"""

import wmtui.mysql_library  # noqa: F401
from wmtui.verify.result import (
    DIFFERENCES,
    Counts,
    Example,
    LeftOut,
    Problem,
    ProblemReason,
    Result,
    Verification,
)

__all__ = ["DIFFERENCES", "Counts", "Example", "LeftOut", "Problem", "ProblemReason", "Result", "Verification"]
