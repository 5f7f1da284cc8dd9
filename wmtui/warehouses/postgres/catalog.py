"""What PostgreSQL's catalogue says of a target: its columns, what stands in the way of loads, and its rows."""

from wmtui.warehouses.ledger_state import TargetState
from wmtui.warehouses.load.session import Session
from wmtui.warehouses.target import TargetColumn, TargetTable

_COUNTED_BYTES = 2**30
"""Size of a target up to which its rows are counted before a load: counting more would take longer than most loads."""
_KINDS = {
    "r": "table",
    "p": "table",
    "f": "foreign table",
    "v": "view",
    "m": "materialized view",
    "i": "index",
    "I": "index",
    "S": "sequence",
    "c": "type",
}
_RELATION = """
SELECT c.oid, c.relkind::text, pg_get_userbyid(c.relowner)::text, pg_has_role(c.relowner, 'USAGE'),
    row_security_active(c.oid),
    ARRAY(SELECT t.tgname::text FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
        AND t.tgenabled <> 'D' AND t.tgtype & 1 = 1 ORDER BY 1),
    ARRAY(SELECT k.conrelid::regclass::text || '.' || k.conname FROM pg_constraint k
        WHERE k.confrelid = c.oid AND k.contype = 'f' AND k.confdeltype = 'c' ORDER BY 1),
    ARRAY(SELECT r.rulename::text FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type <> '1' ORDER BY 1),
    ARRAY(SELECT a.attname::text FROM pg_constraint k CROSS JOIN unnest(k.conkey) WITH ORDINALITY AS u(number, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.number
        WHERE k.conrelid = c.oid AND k.contype = 'p' ORDER BY u.place)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2
"""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, a.atthasdef OR a.attidentity <> '',
    a.attidentity = 'a' OR coalesce(to_jsonb(a) ->> 'attgenerated', '') <> '',
    CASE WHEN t.typname = 'citext' THEN 'citext' WHEN to_jsonb(o) ->> 'collisdeterministic' = 'false'
        THEN o.collname::text ELSE '' END
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_collation o ON o.oid = a.attcollation
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


def describe(session: Session, table: str) -> TargetTable | None:
    """What stands under a table's name, None where nothing does."""
    relations = session.execute(_RELATION, *session.statements.schema_and_name(table))
    if not relations:
        return None
    oid, kind, owner, owned, row_security, triggers, cascades, rules, key = relations[0]
    return TargetTable(
        columns=tuple(TargetColumn(*column) for column in session.execute(_COLUMNS, oid)),
        primary_key=tuple(key),
        kind=_KINDS.get(kind, "relation of another kind"),
        row_security=row_security,
        triggers=tuple(triggers),
        cascades=tuple(cascades),
        rules=tuple(rules),
        owned=owned,
        owner=owner,
    )


def state(session: Session, target: str, *, count: bool) -> TargetState:
    """A target's identity and rows. count: count the rows of one that is not too large for it."""
    relations = session.execute(
        "SELECT c.oid, c.relkind, pg_relation_size(c.oid) FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
        *session.statements.schema_and_name(target),
    )
    if not relations:
        return TargetState()
    oid, kind, size = relations[0]
    if not count:
        return TargetState(str(oid))
    if kind in ("r", b"r") and size <= _COUNTED_BYTES:
        rows = int(session.execute(session.statements.count(target))[0][0])
        return TargetState(str(oid), rows, empty=not rows)
    return TargetState(str(oid), None, empty=not session.execute(session.statements.select_any(target)))
