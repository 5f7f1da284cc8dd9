"""Object stores: where watermarks, run documents and parts live."""

from wmtui.config import StoreConfig
from wmtui.model import Clock
from wmtui.objects.base import ObjectInfo, ObjectStore, StoredObject
from wmtui.objects.clock import StoreClock


def open_store(config: StoreConfig, clock: Clock) -> ObjectStore:
    """The store a profile names: `s3://bucket[/prefix]`, or a folder.

    clock: the folder store's; S3 has its own, and tells it to a StoreClock.
    """
    if config.root.startswith("s3://"):
        from wmtui.objects.s3 import S3Store

        return S3Store(config.root, config.s3, clock if isinstance(clock, StoreClock) else None)
    from wmtui.objects.directory import DirectoryStore

    return DirectoryStore(config.root, clock)


__all__ = ["ObjectInfo", "ObjectStore", "StoredObject", "open_store"]
