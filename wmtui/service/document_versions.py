"""Which tables' documents changed: by three listings, however many tables there are."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from wmtui import layout
from wmtui.model import TableName
from wmtui.objects import ObjectStore


class Versions(Struct, frozen=True):
    """ETags of all watermarks, lock documents and the system watermark, by their keys, as listed at one moment."""

    etags: Mapping[str, str]

    @classmethod
    def read(cls, objects: ObjectStore) -> "Versions":
        """As they are now. Raises StoreError."""
        prefixes = layout.WATERMARKS, layout.LOCKS, layout.SYSTEM_WATERMARK
        listed = (info for prefix in prefixes for info in objects.list(prefix))
        return cls({info.key: info.etag for info in listed})

    def changed_since(self, before: "Versions", tables: Iterable[TableName]) -> list[TableName]:
        """The tables of which a document is another one, new or gone, in their order."""
        now, then = self.etags, before.etags
        return [
            table
            for table in tables
            if any(now.get(key) != then.get(key) for key in (layout.watermark_key(table), layout.lock_key(table)))
        ]

    def is_same_system_watermark(self, before: "Versions") -> bool:
        """The system watermark was not moved since."""
        return self.etags.get(layout.SYSTEM_WATERMARK) == before.etags.get(layout.SYSTEM_WATERMARK)
