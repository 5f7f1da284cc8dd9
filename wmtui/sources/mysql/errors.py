"""The driver's errors as SourceError: what happened, why, and the next step; `docs/mysql.md` lists them.

2000–2999 are the client library's numbers, the others the server's; 1927, 1969 and 4151 are MariaDB's alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from mysql.connector.errors import ConnectionTimeoutError, ReadTimeoutError, WriteTimeoutError
from mysql.connector.errors import Error as DriverError

from wmtui.config import MySQLConfig
from wmtui.errors import PrivilegeMissing, SourceError, UnknownStatement
from wmtui.sources.mysql.tls import not_trusted, offers_none

_NO_PRIVILEGE = {1044, 1142, 1143, 1227, 1370}
_NO_ANSWER = {1053, 2002, 2003, 2005, 2006, 2013, 2055}
_TIMED_OUT = (ConnectionTimeoutError, ReadTimeoutError, WriteTimeoutError)
"""Errors to which the driver gives the server's number of a time limit."""
_BROKEN_LOGIN = {2013, 2055}
_DENIED = {1045, 1698}
_WANTS_TLS = {2061, 3159}
_TLS_FAILED = 2026
_UNKNOWN_STATEMENT = 1064

_LOCKED = ("has locked the account", "have an administrator run ALTER USER … ACCOUNT UNLOCK")
_EXPIRED = (
    "refuses a password that has expired",
    "have an administrator set a new one (ALTER USER … IDENTIFIED BY …, and PASSWORD EXPIRE NEVER for a program),"
    " and put it where tables.yaml takes it from",
)
_PLUGIN = (
    "checks the password in a way that wmtui's driver does not know",
    "have an administrator change the account: ALTER USER … IDENTIFIED WITH caching_sha2_password BY …"
    " (MariaDB: IDENTIFIED VIA mysql_native_password USING PASSWORD(…))",
)
_TIME_LIMIT = (
    "ended a statement at a time limit",
    "raise the limit of the proxy in between: wmtui's sessions lift max_execution_time and max_statement_time",
)
_TOO_LONG = (
    "has a row, or is sent a statement, that is larger than it may be",
    "raise max_allowed_packet on the server above the largest row (at most 1 GiB), or exclude the column",
)
_KILLED = (
    "ended a statement from outside",
    "run the command again; see who kills long reads (an administrator, a watchdog, a failover)",
)
_CROWDED = "try again later, or use fewer --workers"

_ADVICE: dict[int, tuple[str, str]] = {
    1040: ("has no connection left", _CROWDED),
    1049: ("has no such database", "check the schema's name"),
    1104: ("refuses to examine so many rows", "have an administrator raise max_join_size for this account's sessions"),
    1129: ("blocks this host", "have an administrator run FLUSH HOSTS"),
    1130: ("does not let this host in", "have an administrator allow this host for the user"),
    1153: _TOO_LONG,
    1203: ("has no connection left for this user", _CROWDED),
    1205: (
        "keeps a table locked",
        "see who alters or locks it (SHOW PROCESSLIST), then run the command again",
    ),
    1226: (
        "has a limit for this account, which is reached",
        f"{_CROWDED}; or have an administrator raise it: ALTER USER … WITH MAX_QUERIES_PER_HOUR 0"
        " MAX_CONNECTIONS_PER_HOUR 0 MAX_USER_CONNECTIONS 0",
    ),
    1251: _PLUGIN,
    1275: _PLUGIN,
    1317: _KILLED,
    1524: _PLUGIN,
    1820: _EXPIRED,
    1862: _EXPIRED,
    1927: _KILLED,
    1969: _TIME_LIMIT,
    2020: _TOO_LONG,
    2058: _PLUGIN,
    2059: _PLUGIN,
    3024: _TIME_LIMIT,
    3118: _LOCKED,
    4151: _LOCKED,
}


@contextmanager
def plain_errors(config: MySQLConfig) -> Iterator[None]:
    """Turn the driver's errors into SourceError."""
    try:
        yield
    except DriverError as error:
        raise _source_error(config, error) from error


@contextmanager
def plain_login_errors(config: MySQLConfig) -> Iterator[None]:
    """Turn the driver's errors at a login into SourceError; their reasons depend on how it was tried."""
    try:
        yield
    except DriverError as error:
        raise _login_error(config, error) or _source_error(config, error) from error


def _login_error(config: MySQLConfig, error: DriverError) -> SourceError | None:
    server, why = _server(config), _words(error)
    if error.errno == _TLS_FAILED or "CERTIFICATE_VERIFY_FAILED" in why:
        return not_trusted(config, why)
    if error.errno in _WANTS_TLS:
        return _without_tls(config, error)
    if error.errno in _DENIED:
        return SourceError(f"{server} refuses the login", why, _check_account(config))
    if error.errno in _BROKEN_LOGIN and config.cert:
        return SourceError(
            f"{server} broke off the login",
            f"{why}; so it does when it does not trust a client certificate",
            f"have {config.cert} signed by an authority in the server's ssl_ca, and see the server's log",
        )
    return None


def _without_tls(config: MySQLConfig, error: DriverError) -> SourceError:
    if config.tls != "disable":
        return offers_none(config)
    next_step = "set tls: verify, and `ca`; or tls: require, which encrypts but does not prove who answers"
    if error.errno == 3159:
        what, why = "refuses connections without TLS", _words(error)
    else:
        next_step = f"{next_step}; then check user and password, if it is refused again"
        what = "refuses the login without TLS"
        why = (
            f"{_words(error)} Without TLS such an account gets in only while the server remembers an earlier login,"
            " until a restart or FLUSH PRIVILEGES, and only if the password is right"
        )
    return SourceError(f"{_server(config)} {what}", why, next_step)


def _check_account(config: MySQLConfig) -> str:
    """A server denies a wrong password and a login that is not as the account demands it in the same words."""
    check = "check user and password in tables.yaml"
    if config.tls == "disable":
        return f"{check}; if they are right, account or server may demand TLS: set tls: verify or tls: require"
    if config.cert:
        return f"{check}; if they are right, the account may demand another client certificate than {config.cert}"
    return (
        f"{check}; if they are right, the account may demand a client certificate (REQUIRE X509, SUBJECT or ISSUER):"
        " set cert and key"
    )


def _source_error(config: MySQLConfig, error: DriverError) -> SourceError:
    server, why = _server(config), _words(error)
    if error.errno in _NO_PRIVILEGE:
        return PrivilegeMissing(
            f"{server} denies user {config.user} a privilege", why, "have an administrator GRANT it"
        )
    if error.errno == _UNKNOWN_STATEMENT:
        return UnknownStatement(f"{server} does not know a statement", why, "report the server's version and this text")
    if error.errno in _NO_ANSWER or isinstance(error, _TIMED_OUT):
        return SourceError(f"cannot reach {server}", why, "check that it runs, and host, port and firewall")
    if error.errno in _ADVICE:
        what, next_step = _ADVICE[error.errno]
        return SourceError(f"{server} {what}", why, next_step)
    return SourceError(
        f"{server} refuses a statement",
        why,
        "look up the server's message; if it does not help, report it with the server's version",
    )


def _server(config: MySQLConfig) -> str:
    return f"MySQL at {config.host}:{config.port}"


def _words(error: DriverError) -> str:
    return error.msg or str(error)
