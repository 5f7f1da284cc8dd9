"""The statements of ledger and fence: which files are loaded, and which run may load."""

import hashlib

from wmtui.model import TargetName
from wmtui.warehouses.quoting import Insert, fill, quote

LEDGER = "wmtui_ledger"
FENCE = "wmtui_fence"
WAREHOUSE = "wmtui_warehouse"
FORMAT = 2
"""Of ledger and fence tables, as the id row of a warehouse holds it."""


class LedgerStatements:
    """Statements of ledger and fence for one schema of a warehouse.

    database: qualifies the schema where its name alone is ambiguous.
    """

    def __init__(self, schema: str, database: str | None = None) -> None:
        self._database = (database,) if database else ()
        self.schema = schema

    shards = 32
    """How many ledger tables there are. A write lock lasts until the transaction ends, so that merges into two targets
    that share one wait for each other; with 32 few do, and a schema is not filled with tables.
    """

    def schema_and_name(self, target: str) -> tuple[str, str]:
        """Schema and name of a table, the target written as a TargetName."""
        name = TargetName.parse(target)
        return name.schema or self.schema, name.name

    def full_name(self, target: str) -> str:
        """A target as the ledger has it: always with its schema, as the catalogue writes both."""
        schema, name = self.schema_and_name(target)
        return str(TargetName(name, schema))

    def shard(self, target: str) -> str:
        """Two digits: which of the ledger tables is a target's."""
        digest = hashlib.sha256(self.full_name(target).encode()).digest()
        return f"{int.from_bytes(digest[:4], 'big') % self.shards:02d}"

    def own_table(self, name: str) -> str:
        """A table of wmtui's own, quoted."""
        return quote(*self._database, self.schema, name)

    def ledger(self, target: str) -> str:
        """The table that has a target's ledger rows, quoted."""
        return self.own_table(f"{LEDGER}_{self.shard(target)}")

    def fence(self, target: str) -> str:
        """The table that has a target's fence rows, quoted."""
        return self.own_table(f"{FENCE}_{self.shard(target)}")

    def create_ledger(self) -> list[str]:
        """Every table and view of wmtui's own. Times are UTC; lengths fit Redshift, which counts bytes."""
        shards = [f"{number:02d}" for number in range(self.shards)]
        parts = {"rows": quote("rows"), "key": quote("key"), "small": self._small}
        made = [fill(_CREATE_WAREHOUSE, table=self.own_table(WAREHOUSE), **parts)]
        for shard in shards:
            made.append(fill(_CREATE_LEDGER, table=self.own_table(f"{LEDGER}_{shard}"), **parts))
            made.append(fill(_CREATE_FENCE, table=self.own_table(f"{FENCE}_{shard}"), **parts))
        union = " UNION ALL ".join(
            fill(_SELECT_SHARD, table=self.own_table(f"{LEDGER}_{shard}"), **parts) for shard in shards
        )
        made.append(f"CREATE OR REPLACE VIEW {self.own_table(LEDGER)} AS {union}")
        refusal = fill(self.refusal_of_older, words=_TOO_OLD)
        columns = f"{refusal} AS table_name, {refusal} AS target, 0 AS token"
        made.append(f"CREATE OR REPLACE VIEW {self.own_table(FENCE)} AS SELECT {columns}")
        return made

    _small = ""
    """What CREATE TABLE says of small tables."""
    refusal_of_older = "CAST(CAST('{words}' || '' AS bigint) AS varchar(64))"
    """An expression that fails with these words."""

    def select_warehouse(self) -> str:
        """Id and format of this warehouse."""
        return fill("SELECT id, format FROM {table}", table=self.own_table(WAREHOUSE))

    def insert_warehouse(self) -> str:
        """The id row."""
        return fill("INSERT INTO {table} (id, format, made_at) VALUES ($1, $2, $3)", table=self.own_table(WAREHOUSE))

    def first_format_targets(self) -> str:
        """Targets that the one ledger and fence of the first format know."""
        return fill(
            "SELECT target FROM {ledger} UNION SELECT target FROM {fence}",
            ledger=self.own_table(LEDGER),
            fence=self.own_table(FENCE),
        )

    def take_over_first_format(self, target: str) -> list[str]:
        """Copy what the tables of the first format know of target $1, which is this one; of which store is unknown."""
        parts = {"rows": quote("rows"), "key": quote("key")}
        whole = "'" + self.full_name(target).replace("'", "''") + "'"
        return [
            fill(
                "INSERT INTO {table} (store, table_name, target, {key}, etag, uri, {rows}, load_id, run, epoch, token,"
                " loaded_at) SELECT '', table_name, {whole}, '', etag, uri, {rows}, load_id, '', epoch, token,"
                " loaded_at FROM {first} WHERE target = $1",
                table=self.ledger(target),
                first=self.own_table(LEDGER),
                whole=whole,
                **parts,
            ),
            fill(
                "INSERT INTO {table} (store, table_name, target, token, run) SELECT '', table_name, {whole},"
                " max(token), '' FROM {first} WHERE target = $1 GROUP BY table_name",
                table=self.fence(target),
                first=self.own_table(FENCE),
                whole=whole,
            ),
        ]

    def drop_first_format(self) -> list[str]:
        """What stands where the views are to be."""
        return [f"DROP TABLE {self.own_table(LEDGER)}", f"DROP TABLE {self.own_table(FENCE)}"]

    def select_first_ledger(self) -> str:
        """Files of table $1 in target $2, as a ledger of the first format has them; columns as in select_ledger."""
        return fill(
            "SELECT '', '', uri, etag, NULL, NULL, {rows}, load_id, epoch, loaded_at FROM {ledger}"
            " WHERE table_name = $1 AND target = $2 ORDER BY loaded_at",
            ledger=self.own_table(LEDGER),
            rows=quote("rows"),
        )

    def select_first_fence(self) -> str:
        """Who loaded into target $1, by a fence of the first format; columns as in select_fences."""
        return fill(
            "SELECT '', table_name, max(token), '', NULL, NULL, NULL, NULL FROM {fence} WHERE target = $1"
            " GROUP BY table_name",
            fence=self.own_table(FENCE),
        )

    def select_ledger(self, target: str) -> str:
        """Files of stores $1 and '' and table $2 in target $3."""
        return fill(
            "SELECT store, {key}, uri, etag, size, footer, {rows}, load_id, epoch, loaded_at FROM {ledger}"
            " WHERE store IN ($1, '') AND table_name = $2 AND target = $3 ORDER BY loaded_at",
            ledger=self.ledger(target),
            key=quote("key"),
            rows=quote("rows"),
        )

    def select_load(self, target: str) -> str:
        """Keys and rows of files that load $1 committed."""
        return fill(
            "SELECT {key}, etag, {rows} FROM {ledger} WHERE load_id = $1",
            ledger=self.ledger(target),
            key=quote("key"),
            rows=quote("rows"),
        )

    def insert_ledger(self, target: str) -> Insert:
        """A row for each file, in the order of _LEDGER_COLUMNS."""
        return Insert(self.ledger(target), _LEDGER_COLUMNS)

    def select_fences(self, target: str) -> str:
        """Every store and table that has loaded into target $1."""
        return fill(
            "SELECT store, table_name, token, run, target_id, target_rows, columns, moved_to FROM {fence}"
            " WHERE target = $1",
            fence=self.fence(target),
        )

    def insert_fence(self, target: str) -> str:
        """What the first load of a store and table leaves."""
        return fill(
            "INSERT INTO {fence} (store, table_name, target, token, run, target_id, target_rows, columns)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            fence=self.fence(target),
        )

    def update_fence(self, target: str) -> str:
        """What a later one leaves."""
        return fill(
            "UPDATE {fence} SET token = $4, run = $5, target_id = $6, target_rows = $7, columns = $8"
            " WHERE store = $1 AND table_name = $2 AND target = $3",
            fence=self.fence(target),
        )

    def claim(self, target: str) -> list[str]:
        """Give rows of no store, of table $2 and target $3, to store $1."""
        return [
            fill(
                "UPDATE {table} SET store = $1 WHERE store = '' AND table_name = $2 AND target = $3",
                table=table,
            )
            for table in (self.ledger(target), self.fence(target))
        ]

    def retire_others(self, target: str) -> str:
        """Keep other stores than $1 from loading table $2 into target $3: it is $4's now."""
        return fill(
            "UPDATE {fence} SET moved_to = $4 WHERE store <> $1 AND table_name = $2 AND target = $3",
            fence=self.fence(target),
        )

    def take_back(self, target: str) -> str:
        """Let store $1 load table $2 into target $3 again."""
        return fill(
            "UPDATE {fence} SET moved_to = NULL WHERE store = $1 AND table_name = $2 AND target = $3",
            fence=self.fence(target),
        )

    def hand_over(self, target: str) -> str:
        """Keep table $1, of whatever store, from loading into target $2 again: it is $3's now."""
        return fill("UPDATE {fence} SET moved_to = $3 WHERE table_name = $1 AND target = $2", fence=self.fence(target))


_LEDGER_COLUMNS = (
    *("store", "table_name", "target", "key", "etag", "size", "footer", "uri", "rows"),
    *("load_id", "run", "epoch", "token", "loaded_at"),
)
_CREATE_WAREHOUSE = (
    "CREATE TABLE {table} (id varchar(64) NOT NULL, format integer NOT NULL, made_at timestamp NOT NULL){small}"
)
_CREATE_LEDGER = (
    "CREATE TABLE {table} (store varchar(64) NOT NULL, table_name varchar(1024) NOT NULL,"
    " target varchar(1024) NOT NULL, {key} varchar(4096) NOT NULL, etag varchar(256) NOT NULL, size bigint,"
    " footer varchar(64), uri varchar(4096) NOT NULL, {rows} bigint NOT NULL, load_id varchar(256) NOT NULL,"
    " run varchar(64) NOT NULL, epoch bigint NOT NULL, token bigint NOT NULL, loaded_at timestamp NOT NULL){small}"
)
_CREATE_FENCE = (
    "CREATE TABLE {table} (store varchar(64) NOT NULL, table_name varchar(1024) NOT NULL,"
    " target varchar(1024) NOT NULL, token bigint NOT NULL, run varchar(64) NOT NULL, target_id varchar(64),"
    " target_rows bigint, columns varchar(65535), moved_to varchar(1024)){small}"
)
_SELECT_SHARD = (
    "SELECT store, table_name, target, {key}, etag, size, footer, uri, {rows}, load_id, run, epoch, token, loaded_at"
    " FROM {table}"
)
_TOO_OLD = "wmtui on this host is too old for this warehouse: upgrade it"
"""What an older wmtui gets as answer to its first query: it knows nothing of ledger tables by target."""
