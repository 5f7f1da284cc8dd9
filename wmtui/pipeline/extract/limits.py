"""What a warehouse cannot hold is refused, or cut where the table's rule says so, before it becomes a part.

A part that no load takes would stop its table: it is listed by a committed run, and nothing may leave it out.
"""

from collections import Counter
from threading import Lock

import pyarrow as pa
import pyarrow.compute as pc

from wmtui.column_types import max_bytes
from wmtui.config import TableConfig
from wmtui.errors import UnsupportedValue
from wmtui.model import As
from wmtui.sources import SourceTable
from wmtui.sources.keys import key_of
from wmtui.warehouses import TargetLimits
from wmtui.warehouses.load.conversions import no_form, unfit_row


class LimitCheck:
    """One table's rows against the limits of one warehouse. truncated: by column, how many texts were cut so far.

    required: columns that the target does not take a NULL in.
    """

    def __init__(
        self, table: SourceTable, config: TableConfig, limits: TargetLimits, required: frozenset[str] = frozenset()
    ) -> None:
        self._table = table
        self._forms = {name: how for name, how in config.as_types.items() if name in table.schema.names}
        self._required = required
        self._truncate = config.too_long == "truncate"
        self._limits = limits
        self._order = (*table.primary_key, table.cursor)
        self._lock = Lock()
        self.truncated: Counter[str] = Counter()

    def checked(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows as they can be loaded. Raises UnsupportedValue, naming column and row, for what cannot be."""
        batch = self.shortened(batch)
        for field in self._table.schema:
            column = batch.column(field.name)
            if limit := self._limit(field):
                self._refuse_long(batch, field.name, pc.greater(pc.binary_length(column), limit), limit)
            if pa.types.is_string(field.type) and not self._limits.nul:
                self._refuse_nul(batch, field.name, column)
            if field.name in self._required and column.null_count:
                self._refuse_null(batch, field.name, column)
        for name, how in self._forms.items():
            self._refuse_formless(batch, name, how)
        return batch

    def shortened(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows, with texts that are too long cut after a whole character if that is the rule; a key never is."""
        if not self._truncate:
            return batch
        for index, field in enumerate(self._table.schema):
            limit = self._limit(field)
            if limit is None or not pa.types.is_string(field.type) or field.name in self._order:
                continue
            column = batch.column(field.name)
            long = pc.sum(pc.greater(pc.binary_length(column), limit)).as_py() or 0
            if long:
                texts = [text and _cut(text, limit) for text in column.to_pylist()]
                batch = batch.set_column(index, field, pa.array(texts, field.type))
                with self._lock:
                    self.truncated[field.name] += long
        return batch

    def _limit(self, field: pa.Field) -> int | None:
        """Bytes that a value must not exceed; None where there is no limit, or the source never exceeds it."""
        limit = None
        if pa.types.is_string(field.type):
            limit = self._limits.text_bytes
        elif pa.types.is_binary(field.type):
            limit = self._limits.binary_bytes
        longest = max_bytes(field)
        return None if limit is None or (longest is not None and longest <= limit) else limit

    def _refuse_long(self, batch: pa.RecordBatch, name: str, long: pa.Array, limit: int) -> None:
        row = pc.index(long, True).as_py()
        if row < 0:
            return
        size = len(batch.column(name)[row].as_buffer())
        is_text = pa.types.is_string(self._table.schema.field(name).type)
        rule = "say `too_long: truncate` to cut it, " if is_text and name not in self._order else ""
        raise UnsupportedValue(
            f"column {name} of {self._table.table} holds {size:,} bytes in {self._row(batch, row)}",
            f"the warehouse holds {limit:,} bytes in a column",
            f"{rule}shorten it in the source{self._or_exclude(name)}; nothing of this part was written",
        )

    def _or_exclude(self, name: str) -> str:
        """Cursor and key cannot be left out."""
        return "" if name in self._order else ", or exclude the column"

    def _refuse_nul(self, batch: pa.RecordBatch, name: str, column: pa.Array) -> None:
        row = pc.index(pc.match_substring(column, "\0"), True).as_py()
        if row >= 0:
            raise UnsupportedValue(
                f"column {name} of {self._table.table} has text with a NUL character in {self._row(batch, row)}",
                "the warehouse cannot hold it",
                f"remove the character in the source{self._or_exclude(name)}; nothing of this part was written",
            )

    def _refuse_null(self, batch: pa.RecordBatch, name: str, column: pa.Array) -> None:
        row = pc.index(pc.is_null(column), True).as_py()
        raise UnsupportedValue(
            f"column {name} of {self._table.table} is NULL in {self._row(batch, row)}",
            "the target's column must not be",
            "let it be NULL in the target, or give it a value in the source; nothing of this part was written",
        )

    def _refuse_formless(self, batch: pa.RecordBatch, name: str, how: As) -> None:
        row = unfit_row(batch.column(name), how)
        if row is not None:
            raise UnsupportedValue(
                f"column {name} of {self._table.table} cannot be kept as {how} in {self._row(batch, row)}",
                f"its value is {no_form(how)}",
                "correct `as` in tables.yaml, or the value in the source; nothing of this part was written",
            )

    def _row(self, batch: pa.RecordBatch, row: int) -> str:
        names = self._table.primary_key
        if not names:
            return "a row"
        key = key_of(batch, row, self._table)
        return "the row " + ", ".join(f"{name} = {value}" for name, value in zip(names, key, strict=True))


def _cut(text: str, limit: int) -> str:
    data = text.encode()
    return text if len(data) <= limit else data[:limit].decode(errors="ignore")
