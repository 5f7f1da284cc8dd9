"""What tests of the stand-in for Redshift share: a client, its rows, its errors."""

from contextlib import AbstractContextManager
from typing import Any

import psycopg
import pytest

Connection = psycopg.Connection[tuple[Any, ...]]


def refused(words: str) -> AbstractContextManager[Any]:
    """The block raises an error of the server with these words."""
    return pytest.raises(psycopg.DatabaseError, match=words)


def rows_of(connection: Connection, question: str, *values: Any) -> list[tuple[Any, ...]]:
    """The answer to a question."""
    return connection.execute(question, values or None).fetchall()
