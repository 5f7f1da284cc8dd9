"""Words of a command that cannot mean anything, or are not allowed to."""

import json

import pytest

from tests.bad_input.refusals import Refusals, embedded

CHANGES = (
    "wmtui watermark set -t T aug4",
    "wmtui watermark set -t T --from-file document.json",
    "wmtui watermark reset -t T",
    "wmtui watermark set aug4 --force",
    "wmtui watermark reset 1week --force",
    "wmtui sync -t T",
    "wmtui sync -t T --redshift-only",
    "wmtui --run",
    "wmtui watermark undo -t T",
    "wmtui watermark unpin -t T",
)


TABLE_COMMANDS = (
    *("watermark get", "watermark set aug4", "watermark reset", "files", "sync", "doctor", "--run", "sync -t T"),
)


def test_an_unknown_table_names_the_nearest(refusals: Refusals) -> None:
    near = f"did you mean {refusals.stack.schema}.orders"

    commands = (f"wmtui {command} -t {refusals.stack.schema}.ordres" for command in TABLE_COMMANDS)
    refusals.refused(commands, 2, "unknown table", near)
    refusals.refused("wmtui watermark get -t orders", 2, "unknown table 'orders'", near)


def test_a_table_like_no_other_points_to_the_list(refusals: Refusals) -> None:
    refusals.refused("wmtui watermark get -t zzz", 2, "unknown table 'zzz'", "wmtui watermark list")


BAD_POINTS = (
    *("2025-13-01", "2025-02-30", "'2025-08-04 25:00:00'", "0000-01-01", "yesterday", "''", "' '", "20250804"),
    *("1754265600", "2025-08-04T00:00:00.1234567", "٢٠٢٥-٠٨-٠٤", "-12x", "-99999999d", "5h"),
)
ZONE_MIXED_POINTS = (
    *("2025-08-04T00:00:00+25:00", "'2025-08-04 00:00:00Z+08:00'", "'2025-08-04 00:00:00 +08:00 Z'"),
    *("'2025-08-04 00:00:00 UTC'", "'2025-08-04 00:00:00 Asia/Shanghai'", "2025-08-04+08:00"),
)


@embedded
@pytest.mark.parametrize("points", [BAD_POINTS, ZONE_MIXED_POINTS], ids=["bad", "zone-mixed"])
def test_a_bad_timestamp_says_which_forms_there_are(refusals: Refusals, points: tuple[str, ...]) -> None:
    refusals.refused((f"wmtui watermark set -t T --timestamp {point}" for point in points), 2, "YYYY-MM-DD")
    refusals.refused(f"wmtui watermark set {points[0]} --yes", 2, "YYYY-MM-DD")


def test_a_future_timestamp_needs_force(refusals: Refusals) -> None:
    commands = ("set -t T 2099-01-01", "set 2099-01-01 --yes", "reset 2099-01-01 --yes")
    refusals.refused((f"wmtui watermark {command}" for command in commands), 2, "is in the future", "add --force")


@embedded
@pytest.mark.parametrize("point", ["0001-12-31 23:59:59", "9999-01-01"])
def test_a_point_outside_of_what_is_kept_is_refused(refusals: Refusals, point: str) -> None:
    refusals.refused(f"wmtui watermark set -t T '{point}' --force", 2, "is not a time", "years 2 to 9998")


@pytest.mark.parametrize("point", ["0002-01-01 00:00:00", "9998-12-31 23:59:59.999999"])
def test_the_ends_of_time_break_no_later_command(refusals: Refusals, point: str) -> None:
    refusals.operator.type(f"wmtui watermark set '{point}' --force")
    refusals.operator.type(f"wmtui watermark set -t T '{point}' --force")

    for command in ("watermark get -t T", "watermark list", "files -t T", "sync -t T --dry-run", "sync -t T"):
        refusals.operator.type(f"wmtui {command}")


@embedded
@pytest.mark.parametrize(
    ("zone", "point"), [("Asia/Shanghai", "0001-01-01"), ("America/New_York", "9999-12-31 23:00:00")]
)
def test_a_point_that_utc_cannot_hold_is_refused(refusals: Refusals, zone: str, point: str) -> None:
    refusals.profile(timezone=zone)

    refusals.refused(f"wmtui watermark set -t T '{point}' --force", 2, "is not a time")


@embedded
def test_a_local_time_that_a_clock_change_skips_is_refused(refusals: Refusals) -> None:
    refusals.profile(timezone="Europe/Berlin")

    refusals.refused("wmtui watermark set -t T '2025-03-30 02:30:00'", 2, "does not exist in Europe/Berlin")


def test_an_unknown_preset_lists_those_there_are(refusals: Refusals) -> None:
    refusals.stack.document["presets"] = {"quarter": "2025-07-01 00:00:00"}
    refusals.profile()

    commands = ("set -t T 2week", "set 2week --force", "reset 2week --force")
    known = "aug4, aug1, 1day, 3days, 1week, 2weeks, 1month, quarter"
    refusals.refused((f"wmtui watermark {command}" for command in commands), 2, known, "did you mean 2weeks?")


EXCLUSIVE_IN_SYNC = (
    "sync -t T --redshift-only --backup-only",
    "sync -t T --reprocess",
    "sync -t T --backup-only --reprocess",
    "sync -t T --key k --redshift-only",
    "sync -t T --key k --backup-only",
    "sync -t T -t U --redshift-only --reprocess --key k",
    "--run --redshift-only --reprocess --key k",
    "sync -t T --limit 5 -s intra-table",
    "sync -t T --limit 5 --redshift-only",
    "sync -t T --redshift-only --backup-only --dry-run",
    "sync -t T --limit 0",
    "sync -t T --limit -5",
    "sync -t T --workers 0",
    "sync -t T --workers -1",
    "sync -t T --workers 65",
    "sync -t T -s fast",
    "sync",
    "--run --redshift-only --backup-only",
    "--run watermark list",
    "files",
    "files -t T -t U",
    "status --max-age soon",
    "status --demo",
    "status --demo-reset",
    "status --demo-dir x",
    "--demo --profile test status",
)
EXCLUSIVE_IN_WATERMARK = (
    "watermark set -t T --timestamp aug4 --from-file f",
    "watermark set -t T --timestamp aug4 aug1",
    "watermark set -t T --from-file f aug1",
    "watermark set --timestamp aug4",
    "watermark set --from-file f",
    "watermark set -t T",
    "watermark set",
    "watermark set -t T -t U aug4",
    "watermark reset -t T -t U",
    "watermark reset -t T aug4",
    "watermark reset",
    "watermark get --show-files",
    "watermark get -t T -t U",
    "watermark list -t T",
)


@embedded
@pytest.mark.parametrize("lines", [EXCLUSIVE_IN_SYNC, EXCLUSIVE_IN_WATERMARK], ids=["sync", "watermark"])
def test_words_that_exclude_each_other_or_mean_nothing_are_refused(refusals: Refusals, lines: tuple[str, ...]) -> None:
    refusals.refused((f"wmtui {line}" for line in lines), 2)


@pytest.fixture
def document(refusals: Refusals) -> None:
    """The current watermark of T as document.json in the current folder."""
    refusals.monkeypatch.chdir(refusals.stack.path.parent)
    refusals.operator.type("wmtui watermark get -t T --json")
    (refusals.stack.path.parent / "document.json").write_text(refusals.operator.out)


@pytest.mark.usefixtures("document")
def test_read_only_refuses_every_change(refusals: Refusals) -> None:
    commands = (f"{command} --read-only --yes --reason because" for command in CHANGES)
    refusals.refused(commands, 2, "read-only", "leave --read-only out")


@pytest.mark.usefixtures("document")
def test_a_protected_profile_wants_its_name_and_a_reason(refusals: Refusals) -> None:
    refusals.profile(protected=True)

    refusals.refused(CHANGES, 3, "profile test is protected", "--profile test")
    named = (f"{command} --profile test" for command in CHANGES)
    refusals.refused(named, 2, "profile test is protected", "--profile test --reason")
    refusals.refused("wmtui watermark set -t T aug4 --profile test --reason ' '", 2, "protected", "--reason")


@pytest.mark.usefixtures("document")
def test_moving_the_system_watermark_without_a_yes_is_refused(refusals: Refusals) -> None:
    refusals.refused("wmtui watermark set aug4", 2, "needs a yes", "--force")


FOREIGN = [
    (b"", 2),
    (b"\xff\xfe\x00", 2),
    (b"{", 2),
    (b"[]", 2),
    (b"null", 2),
    (b"{}", 2),
    (b'{"table_name": "T", "last_mysql_data_timestamp": "soon"}', 2),
    (b'{"table_name": "T", "epoch": -1}', 2),
    (b'{"table_name": "T", "metadata": 5}', 2),
    (b'{"table_name": "T", "metadata": {"version": 99}}', 2),
    (b'{"table_name": "T", "pin": {"until": "soon"}}', 2),
    (b'{"table_name": "U", "last_mysql_data_timestamp": "2025-08-04 00:00:00"}', 2),
    (b'{"table_name": "T", "metadata": {"serial": 1}}', 5),
    (b"[" * 100_000, 2),
]


def test_a_document_that_is_no_current_watermark_of_the_table_is_not_taken(refusals: Refusals) -> None:
    file = refusals.stack.path.parent / "document.json"
    for template, code in FOREIGN:
        data = template
        for name, table in ((b'"T"', "orders"), (b'"U"', "items")):
            data = data.replace(name, json.dumps(str(refusals.stack.table(table))).encode())
        file.write_bytes(data)
        refusals.refused(f"wmtui watermark set -t T --from-file {file}", code)
    refusals.refused("wmtui watermark set -t T --from-file nowhere.json", 2, "cannot read nowhere.json", "No such file")
