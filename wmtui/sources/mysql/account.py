"""What a MySQL server says about the account that is logged in: its name, its password's plugin, its roles."""

import re
from collections.abc import Iterable

from wmtui.errors import SourceError
from wmtui.sources.mysql.session import Session
from wmtui.sources.span_query import MYSQL

_PLUGIN = re.compile(r"IDENTIFIED (?:WITH|VIA) [`'\"]?(\w+)", re.IGNORECASE)

_ROLES = "SELECT * FROM information_schema.applicable_roles"
_ACTIVE = "SELECT role_name AS role FROM information_schema.enabled_roles WHERE role_name IS NOT NULL"


def account(session: Session) -> str:
    """The account that the server took the login for, as a statement names it."""
    user, _, host = _current(session).rpartition("@")
    return f"{_literal(user)}@{_literal(host)}"


def grant(session: Session, privilege: str, on: str) -> str:
    """The statement that gives the account a privilege. on: quoted names, or `*.*`."""
    return f"GRANT {privilege} ON {on} TO {account(session)}"


def password_plugin(session: Session) -> str | None:
    """What checks the account's password, `caching_sha2_password` for one; None where the server does not say.

    Every account may ask this about itself, by the manuals of MySQL and MariaDB.
    """
    try:
        (statement,) = session.query("SHOW CREATE USER CURRENT_USER()")[0].values()
    except SourceError:
        return None
    match = _PLUGIN.search(str(statement))
    return match[1].lower() if match else None


def inactive_roles(session: Session) -> list[str]:
    """Roles granted to the account whose privileges do not count, because they are no default roles.

    Raises SourceError, also where the server is too old for roles.
    """
    grants = [(_grantee(row), str(row["role_name"])) for row in session.query(_ROLES)]
    counting = _reached(active_roles(session), grants)
    return sorted({role for grantee, role in grants if grantee == _current(session)} - counting)


def active_roles(session: Session) -> set[str]:
    """Roles whose privileges count in a new session. Raises SourceError."""
    return {str(row["role"]) for row in session.query(_ACTIVE)}


def activation(session: Session, roles: Iterable[str], *, mariadb: bool) -> str:
    """The statement that makes these roles count in every new session. MariaDB has one default role per account."""
    if not mariadb:
        return f"SET DEFAULT ROLE ALL TO {account(session)}"
    first, *others = [*sorted(active_roles(session))[:1], *roles]
    nested = [f"GRANT {MYSQL.name(role)} TO {MYSQL.name(first)}" for role in others]
    return "; ".join([f"SET DEFAULT ROLE {MYSQL.name(first)} FOR {account(session)}", *nested])


def _reached(roles: set[str], grants: list[tuple[str, str]]) -> set[str]:
    """These roles and all that were granted to them, at any depth."""
    reached = set(roles)
    while more := {role for grantee, role in grants if grantee in reached} - reached:
        reached |= more
    return reached


def _grantee(row: dict[str, object]) -> str:
    """Who has a role: an account as CURRENT_USER() writes it, or the name of a role."""
    host = row.get("grantee_host")
    is_account = host is not None and (row["grantee"], host) == (row["user"], row["host"])
    return f"{row['grantee']}@{host}" if is_account else str(row["grantee"])


def _current(session: Session) -> str:
    return str(session.query("SELECT CURRENT_USER() AS account")[0]["account"])


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
