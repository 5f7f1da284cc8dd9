"""tables.yaml, and the variables it needs."""

import pytest
import yaml

from tests.bad_input.refusals import PASSWORD, Refusals, servers

ANY_COMMAND = (
    "wmtui watermark list",
    "wmtui watermark set -t T aug4",
    "wmtui sync -t T",
    "wmtui --run",
    "wmtui status",
)

pytestmark = servers


def test_a_missing_file_is_told_with_its_path(refusals: Refusals) -> None:
    refusals.refused("wmtui status --config /nowhere/tables.yaml", 3, "/nowhere/tables.yaml", "--config")


@pytest.mark.parametrize(
    ("find", "replacement", "words"),
    [
        ("version: 1", "version: 2", ["line 1", "version is wrong"]),
        ("store:", "stroe:", ["line 4", "unknown key 'stroe'", "did you mean 'store'"]),
        ("type: mysql", "type: mysqll", ["unknown type 'mysqll'", "did you mean 'mysql'"]),
        ("tables:", "tables: [", ["not valid YAML"]),
        ("  test:", "\ttest:", ["not valid YAML", "line 3"]),
        ("orders: {}", "orders: {cursr: x}", ["unknown key 'cursr'", "did you mean 'cursor'"]),
        ("port:", "port: x #", ["port is wrong"]),
        ("password:", "password: [x] #", ["password is wrong"]),
    ],
)
def test_a_wrong_file_is_told_with_its_line(refusals: Refusals, find: str, replacement: str, words: list[str]) -> None:
    text = refusals.stack.path.read_text()
    assert find in text
    refusals.write(text.replace(find, replacement, 1))

    refusals.refused(ANY_COMMAND, 3, str(refusals.stack.path), "line ", *words)


def test_an_unset_variable_is_told_with_its_line(refusals: Refusals) -> None:
    refusals.monkeypatch.delenv("DB_PASSWORD")

    refusals.refused(ANY_COMMAND, 3, "environment variable DB_PASSWORD is not set", "line ", "export DB_PASSWORD")


def test_a_variable_of_the_wrong_form_is_told_without_its_value(refusals: Refusals) -> None:
    refusals.profile(source={"port": "${DB_PASSWORD}"}, timezone="${DB_PASSWORD}")

    refusals.refused("wmtui sync -t T", 3, "port", "${DB_PASSWORD}")
    refusals.profile(source={"port": 3306})
    refusals.refused("wmtui sync -t T", 3, "unknown time zone")


def test_a_password_within_broken_yaml_is_not_told(refusals: Refusals) -> None:
    text = yaml.safe_dump(refusals.stack.document)

    refusals.write(text.replace("${DB_PASSWORD}", f"'{PASSWORD}' x"))
    refusals.refused("wmtui status", 3, "not valid YAML", "line ")
    refusals.write(text.replace("password: ${DB_PASSWORD}", f"pasword: {PASSWORD}"))
    refusals.refused("wmtui status", 3, "unknown key 'pasword'", "line ")
