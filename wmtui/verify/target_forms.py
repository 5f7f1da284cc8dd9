"""Both sides of a comparison in the forms that the target keeps."""

from collections.abc import Callable

import pyarrow as pa

from wmtui.errors import UnsupportedValue
from wmtui.model import As
from wmtui.warehouses import Naming
from wmtui.warehouses.load.conversions import canonical_json, convert, converted


class Forms:
    """By what `as:` says of columns."""

    def __init__(self, naming: Naming) -> None:
        self._naming = naming

    def schema(self, schema: pa.Schema) -> pa.Schema:
        """The source's columns as the target keeps them; one that has no such form as it is."""
        return pa.schema([converted(field, self._naming.as_types.get(field.name)) or field for field in schema])

    def converted(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows of the source or of a file. Raises TableError for a value that has no such form."""
        return self.kept(_each(batch, self._naming, self._form))

    def kept(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows of the warehouse: JSON written in one way, all others as they are."""
        return _each(
            batch, self._naming, lambda _, array, how: canonical_json(array) if _is_json(array, how) else array
        )

    def _form(self, name: str, array: pa.Array, how: As) -> pa.Array:
        try:
            return convert(array, how, self._naming.zone)
        except ValueError as error:
            raise UnsupportedValue(
                f"column {name} of the source cannot be kept as {how}", str(error), "correct `as` in tables.yaml"
            ) from error


def _is_json(array: pa.Array, how: As) -> bool:
    return how is As.JSON and pa.types.is_string(array.type)


def _each(batch: pa.RecordBatch, naming: Naming, change: Callable[[str, pa.Array, As], pa.Array]) -> pa.RecordBatch:
    """The batch with the columns changed that have a form of their own."""
    for name, how in naming.as_types.items():
        index = batch.schema.get_field_index(name)
        if index >= 0:
            batch = batch.set_column(index, name, change(name, batch.column(index), how))
    return batch
