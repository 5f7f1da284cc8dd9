"""What YAML makes of what people write in tables.yaml, and what it must not do to wmtui."""

import time
from pathlib import Path

import pytest

from tests.test_config import STAGING, TABLES
from wmtui.config import Settings, load
from wmtui.errors import ConfigError
from wmtui.model import TableName


def read(folder: Path, text: str | bytes, profile: str | None = None) -> Settings:
    path = folder / "tables.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path, profile, {})


def refused(folder: Path, text: str | bytes, profile: str | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, profile)
    return caught.value


@pytest.mark.parametrize("name", ["sales.*", "*.orders", "shop.order?"])
def test_a_pattern_of_tables_is_refused_and_not_taken_for_a_name(tmp_path: Path, name: str) -> None:
    error = refused(tmp_path, f'{STAGING}{TABLES}  "{name}": {{}}\n')

    assert f"{name} is a pattern of tables" in error.what
    assert "line 10" in error.what
    assert "%2A" in error.next_step


def test_a_table_that_has_a_star_in_its_name_is_written_percent_encoded(tmp_path: Path) -> None:
    assert TableName("shop", "a*b") in read(tmp_path, f"{STAGING}tables:\n  shop.a%2Ab: {{}}\n").tables


def test_letters_that_only_resemble_each_other_make_two_targets(tmp_path: Path) -> None:
    """Warehouses fold capital letters; none takes ß for ss."""
    assert len(read(tmp_path, f"{STAGING}tables:\n  shop.straße: {{}}\n  shop.strasse: {{}}\n").tables) == 2
    error = refused(tmp_path, f"{STAGING}tables:\n  shop.strasse: {{}}\n  shop.STRASSE: {{}}\n")
    assert "have the same target" in error.what


@pytest.mark.parametrize("word", ["no", "yes", "on", "off"])
@pytest.mark.parametrize("setting", ["primary_key: [{}]", "cursor: {}", "exclude: [id, {}]", "rename: {{{}: x}}"])
def test_a_word_that_yaml_takes_for_true_or_false_is_to_be_quoted(tmp_path: Path, setting: str, word: str) -> None:
    error = refused(tmp_path, f"{STAGING}tables:\n  shop.orders:\n    {setting.format(word)}\n")

    assert "in quotes" in error.next_step
    assert "line " in error.what


@pytest.mark.parametrize("port", ["03306", "0_3306", "55:6"])
def test_a_number_that_yaml_reads_as_another_is_refused(tmp_path: Path, port: str) -> None:
    source = "source: {type: duckdb, path: shop.duckdb}"
    mysql = f"source: {{type: mysql, host: db, port: {port}, user: u, password: x}}"

    error = refused(tmp_path, (STAGING + TABLES).replace(source, mysql))

    assert f"line 6: {port} is not read as it is written" in error.what
    assert "without the 0" in error.next_step


def test_a_number_that_is_what_it_says_is_taken(tmp_path: Path) -> None:
    assert read(tmp_path, f"{STAGING}{TABLES}presets: {{a: 0s ago}}\n".replace("0s ago", "2025-01-01")).presets


def test_a_mark_before_the_first_letter_is_no_letter(tmp_path: Path) -> None:
    assert TableName("shop", "orders") in read(tmp_path, b"\xef\xbb\xbf" + (STAGING + TABLES).encode()).tables


@pytest.mark.timeout(20)
def test_aliases_that_stand_for_millions_of_values_are_refused_at_once(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    began = time.monotonic()

    error = refused(tmp_path, bomb + STAGING + TABLES)

    assert "stand for too many values" in error.why
    assert time.monotonic() - began < 5


@pytest.mark.timeout(20)
@pytest.mark.parametrize("nested", ["[" * 30_000, "{a: " * 30_000, "- " * 30_000 + "x", "[" * 30_000 + "]" * 30_000])
def test_nesting_without_end_is_refused(tmp_path: Path, nested: str) -> None:
    assert "nested too deeply" in refused(tmp_path, f"presets:\n  {nested}\n").what


def test_brackets_in_a_text_are_no_nesting(tmp_path: Path) -> None:
    assert read(tmp_path, f"# {'[' * 500}\n{STAGING}{TABLES}").tables


def test_a_profile_is_told_the_nearest(tmp_path: Path) -> None:
    assert refused(tmp_path, STAGING + TABLES, "stagin").next_step == "did you mean 'staging'?"
