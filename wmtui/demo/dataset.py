"""The tables of the sandbox: what they are called, how large they are, and what happened to each."""

from enum import StrEnum

from msgspec import Struct

from wmtui.model import TableName


class State(StrEnum):
    """How an operator finds a table."""

    FINE = "fine"
    STALE = "stale"
    PENDING = "pending"
    FAILED_EXTRACT = "failed in MySQL"
    FAILED_LOAD = "failed in Redshift"
    MANUAL = "manual"
    NEVER_SYNCED = "never synced"
    HELD_BACK = "filtered to 0"


class DemoTable(Struct, frozen=True):
    """One table. columns: those between key and cursor. days: its first row is this much older than the sandbox's
    moment. quiet: the newest row's age in seconds. primary_key "": it has none.
    """

    table: TableName
    state: State
    rows: int
    columns: tuple[str, ...]
    days: int
    quiet: int
    primary_key: str = "id"
    cursor: str = "update_at"


_DELIVERY = "order_no merchant_id sku quantity amount currency carrier city delivered_on status"
_CLAIM = "order_no merchant_id claim_type amount currency status opened_on note"
_MONEY = "merchant_id statement_no amount currency status booked_on"
_ORDER = "order_no customer_id amount currency channel status created_at"
_LINE = "order_no line_no sku quantity amount discount"
_EVENT = "order_no status actor note"
_MOVE = "order_no carrier tracking_no weight_kg city status"
_STOCK = "warehouse sku quantity bin status"
_PERSON = "customer_id email city language created_at"

# name, state, rows, columns, days, quiet, then primary key and cursor where they are not id and update_at
_TABLES = (
    ("settlement.settlement_normal_delivery_detail", State.HELD_BACK, 36000, _DELIVERY, 21, 40),
    ("settlement.settlement_claim_detail", State.FINE, 20000, _CLAIM, 30, 55, "claim_id", "updated_at"),
    ("settlement.settlement_return_detail", State.FAILED_LOAD, 16000, _CLAIM, 30, 70),
    ("settlement.settlement_fee_detail", State.FINE, 12000, _MONEY, 30, 90),
    ("settlement.settlement_adjustment_detail", State.MANUAL, 4000, _MONEY, 30, 300),
    ("settlement.settlement_statement", State.FINE, 1200, _MONEY, 60, 1800),
    ("settlement.settlement_statement_line", State.FINE, 14000, _MONEY, 30, 120),
    ("settlement.settlement_invoice", State.PENDING, 2400, _MONEY, 60, 600),
    ("settlement.settlement_withholding_tax", State.NEVER_SYNCED, 900, _MONEY, 4, 900),
    ("orders.order_header", State.FINE, 24000, _ORDER, 30, 30),
    ("orders.order_line", State.FINE, 40000, _LINE, 30, 30),
    ("orders.order_payment", State.FAILED_EXTRACT, 14000, _MONEY, 30, 45),
    ("orders.order_refund", State.FINE, 1600, _CLAIM, 30, 240),
    ("orders.order_discount", State.MANUAL, 5000, _LINE, 30, 180),
    ("orders.order_status_log", State.FINE, 16000, _EVENT, 14, 35, "", "update_at"),
    ("orders.order_note", State.FINE, 800, _EVENT, 30, 1500),
    ("orders.order_promise", State.PENDING, 3000, _EVENT, 30, 200),
    ("logistics.shipment", State.FINE, 9000, _MOVE, 30, 60),
    ("logistics.shipment_item", State.FINE, 12000, _LINE, 30, 60),
    ("logistics.parcel", State.PENDING, 7000, _MOVE, 30, 75),
    ("logistics.parcel_event", State.FAILED_LOAD, 15000, _EVENT, 14, 30),
    ("logistics.carrier_manifest", State.FINE, 600, _MOVE, 30, 2400),
    ("logistics.delivery_attempt", State.FINE, 4000, _MOVE, 30, 150),
    ("logistics.return_shipment", State.FAILED_EXTRACT, 1500, _MOVE, 30, 400),
    ("logistics.route_stop_scan", State.NEVER_SYNCED, 2500, _EVENT, 3, 60),
    ("inventory.stock_level", State.STALE, 3000, _STOCK, 30, 80),
    ("inventory.stock_movement", State.STALE, 8000, _STOCK, 30, 50),
    ("inventory.purchase_order", State.STALE, 900, _ORDER, 60, 700),
    ("inventory.purchase_order_line", State.STALE, 3600, _LINE, 60, 700),
    ("inventory.cycle_count", State.FINE, 500, _STOCK, 30, 3000),
    ("customer.account", State.FINE, 6000, _PERSON, 90, 110),
    ("customer.address", State.FINE, 7000, _PERSON, 90, 130),
    ("customer.loyalty_point", State.FINE, 9000, _ORDER, 30, 65),
    ("customer.support_ticket", State.MANUAL, 1400, _EVENT, 30, 350),
    ("customer.product_review", State.FINE, 1000, _EVENT, 30, 900),
    ("customer.consent_record", State.NEVER_SYNCED, 700, _PERSON, 5, 1200),
)

TABLES = tuple(
    DemoTable(
        table=TableName.parse(name),
        state=state,
        rows=rows,
        columns=tuple(columns.split()),
        days=days,
        quiet=quiet,
        **dict(zip(("primary_key", "cursor"), own_names, strict=False)),
    )
    for name, state, rows, columns, days, quiet, *own_names in _TABLES
)
