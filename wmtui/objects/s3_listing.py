"""What a listing must look like: an answer that is none must never count as "no objects"."""

from collections.abc import Mapping
from typing import Any

from wmtui.objects.s3_errors import no_store


class Pages:
    """Checks the pages of one listing. prefix: what every key begins with; what: what could not be done."""

    def __init__(self, prefix: str, what: str, endpoint: str) -> None:
        self._prefix = prefix
        self._what = what
        self._endpoint = endpoint
        self._tokens: set[str] = set()
        self._last = ""

    def after(self, page: Mapping[str, Any]) -> str | None:
        """The token of the page after this one, None after the last. Raises StoreError for what is no listing."""
        if not page.keys() & {"Name", "KeyCount", "IsTruncated"}:
            raise no_store(self._what, self._endpoint, "the answer is no listing")
        keys = [item["Key"] for item in page.get("Contents", ())]
        if any(not key.startswith(self._prefix) for key in keys):
            raise no_store(self._what, self._endpoint, "the listing holds keys that were not asked for")
        token: str | None = page.get("NextContinuationToken")
        if not page.get("IsTruncated", bool(token)):
            return None
        if not token:
            raise no_store(self._what, self._endpoint, "the listing breaks off and does not say how it goes on")
        if token in self._tokens or (keys and keys[-1] <= self._last):
            raise no_store(self._what, self._endpoint, "the listing repeats itself for ever")
        self._tokens.add(token)
        self._last = keys[-1] if keys else self._last
        return token
