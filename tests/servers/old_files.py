"""Years of files in a bucket, without storing them: an S3 server that lists keys which it makes up as it is asked.

What a table leaves that was synced every few minutes: a part, the document of its run, and each day load records.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import msgspec

from tests.servers.s3 import Answer, Environ, Serve
from wmtui import layout
from wmtui.model import TableName

SIZE = 1_000
_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Found(NamedTuple):
    """One object of a listing, its texts as S3 writes them."""

    key: str
    etag: str
    size: str
    at: str


class OldFiles:
    """`count` parts of a table, the newest begun at `newest` (aware UTC), each `gap` after the one before.

    target, warehouse: where the load records say they were loaded. asked: each listing of the bucket, by its prefix.
    """

    def __init__(
        self,
        table: TableName,
        count: int,
        newest: datetime,
        *,
        target: str,
        warehouse: str,
        gap: timedelta = timedelta(minutes=5),
    ) -> None:
        self._table, self._count, self._newest, self._gap = table, count, newest, gap
        self._target, self._warehouse = target, warehouse
        self._first_day = self._at(0).date() if count else newest.date()
        self._days = (newest.date() - self._first_day).days + 1 if count else 0
        self.asked: list[str] = []

    def _at(self, number: int) -> datetime:
        return self._newest - (self._count - 1 - number) * self._gap

    def run(self, number: int) -> str:
        """The name of a run."""
        return f"{int(self._at(number).timestamp() * 1000):012x}{number:06x}"

    def part(self, number: int) -> str:
        """The key of the only part of a run."""
        return layout.part_key(self._table, self._at(number), self.run(number), 1, 0)

    def etag(self, number: int) -> str:
        """The ETag of a part."""
        return f"{number:032x}"

    def load_id(self, number: int) -> str:
        """The load that brought a part."""
        return f"old-{number}"

    def __iter__(self) -> Iterator[tuple[str, str, datetime, str, str]]:
        """Of every part, the oldest first: key, ETag, when it was loaded, load id, run."""
        for number in range(self._count):
            yield self.part(number), self.etag(number), self._at(number), self.load_id(number), self.run(number)

    def serve(self, environ: Environ, serve: Serve) -> Answer:
        """An Action: answer a listing with real and made-up keys, and the GET of made-up load records."""
        query = {name: values[-1] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        key = environ["PATH_INFO"].lstrip("/").partition("/")[2]
        if environ["REQUEST_METHOD"] == "GET" and query.get("list-type") == "2" and not key:
            return self._list(environ, query, serve)
        if environ["REQUEST_METHOD"] == "GET" and layout.is_loads_key(self._table, key) and self._has_day(key):
            body = self._records(key)
            dated = ("Last-Modified", f"{self._newest:%a, %d %b %Y %H:%M:%S} GMT")
            now = ("Date", f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S} GMT")
            return Answer(200, [("ETag", '"old"'), ("Content-Length", str(len(body))), dated, now], body)
        return serve(environ)

    def _list(self, environ: Environ, query: dict[str, str], serve: Serve) -> Answer:
        prefix, most = query.get("prefix", ""), int(query.get("max-keys", "1000"))
        after = max(query.get("start-after", ""), query.get("continuation-token", ""))
        self.asked.append(prefix)
        asked = {"list-type": "2", "prefix": prefix, "start-after": after, "max-keys": "1000"}
        status, headers, body = serve({**environ, "QUERY_STRING": urlencode(asked)})
        if status != 200:
            return Answer(status, headers, body)
        made_up = list(islice(self._after(prefix, after), most + 1))
        everything = {found.key: found for found in (*made_up, *_parsed(body))}
        page = [everything[key] for key in sorted(everything)]
        kept = [header for header in headers if header[0].lower() not in ("content-length", "etag")]
        answer = _document(page[:most], prefix, goes_on=len(page) > most)
        return Answer(200, [*kept, ("Content-Length", str(len(answer)))], answer)

    def _after(self, prefix: str, after: str) -> Iterator[Found]:
        """Made-up objects below a prefix, after a key, in order."""
        folders: list[tuple[str, int, Callable[[int], str]]] = [
            (layout.data_folder(self._table), self._count, self.part),
            (layout.loads_folder(self._table), self._days, self._loads_key),
            (layout.run_folder(self._table), self._count, lambda n: layout.run_key(self._table, self.run(n))),
        ]
        for folder, count, key_of in folders:
            if not (folder.startswith(prefix) or prefix.startswith(folder)):
                continue
            first = max(bisect_left(range(count), prefix, key=key_of), bisect_right(range(count), after, key=key_of))
            for number in range(first, count):
                key = key_of(number)
                if not key.startswith(prefix):
                    break
                at = self._at(min(number, self._count - 1))
                yield Found(key, self.etag(number), str(SIZE), f"{at:%Y-%m-%dT%H:%M:%S}.000Z")

    def _loads_key(self, day: int) -> str:
        return layout.loads_key(self._table, self._first_day + timedelta(days=day))

    def _has_day(self, key: str) -> bool:
        at = bisect_left(range(self._days), key, key=self._loads_key)
        return at < self._days and self._loads_key(at) == key

    def _records(self, key: str) -> bytes:
        """The load records of one day."""
        day = self._first_day + timedelta(days=bisect_left(range(self._days), key, key=self._loads_key))
        begin = datetime.combine(day, time(), UTC)
        first = bisect_left(range(self._count), begin, key=self._at)
        last = bisect_left(range(self._count), begin + timedelta(days=1), key=self._at)
        loads = [
            {
                "load_id": self.load_id(number),
                "target": self._target,
                "warehouse": self._warehouse,
                "epoch": 1,
                "token": 1,
                "started": f"{self._at(number):%Y-%m-%dT%H:%M:%SZ}",
                "ended": f"{self._at(number):%Y-%m-%dT%H:%M:%SZ}",
                "files": [{"key": self.part(number), "uri": "", "etag": self.etag(number), "rows": 1}],
            }
            for number in range(first, last)
        ]
        return msgspec.json.encode({"table": str(self._table), "version": 1, "loads": loads})


def _parsed(body: bytes) -> Iterator[Found]:
    """The objects of a real listing."""
    for item in ElementTree.fromstring(body).iter(f"{_NAMESPACE}Contents"):
        values = {child.tag.removeprefix(_NAMESPACE): child.text or "" for child in item}
        yield Found(values["Key"], values["ETag"].strip('"'), values["Size"], values["LastModified"])


def _document(page: list[Found], prefix: str, *, goes_on: bool) -> bytes:
    """The answer of ListObjectsV2."""
    items = "".join(
        f"<Contents><Key>{escape(found.key)}</Key><LastModified>{found.at}</LastModified>"
        f"<ETag>&quot;{found.etag}&quot;</ETag><Size>{found.size}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for found in page
    )
    token = f"<NextContinuationToken>{escape(page[-1].key)}</NextContinuationToken>" if goes_on else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="{_NAMESPACE[1:-1]}"><Name>bucket</Name>'
        f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount><MaxKeys>1000</MaxKeys>"
        f"<IsTruncated>{str(goes_on).lower()}</IsTruncated>{token}{items}</ListBucketResult>"
    ).encode()
