"""Logging in to a real MySQL and a real MariaDB: what the account demands is met, or told in plain words."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import mysql.connector
import pytest

from tests.servers.mariadb import MariaDB
from tests.servers.mysql import MySQL
from tests.sources.certificates import Authority, new_authority, openssl
from wmtui.config import MySQLConfig, Secret
from wmtui.errors import SourceError
from wmtui.sources.mysql.doctor import check_server
from wmtui.sources.mysql.session import Session

PASSWORD = MySQL.password
ACCOUNTS = {
    "plain_one": "",
    "with_tls": "REQUIRE SSL",
    "with_certificate": "REQUIRE X509",
    "with_subject": "REQUIRE SUBJECT '/CN=etl'",
    "locked": "ACCOUNT LOCK",
    "expired": "PASSWORD EXPIRE",
    "one_at_a_time": "WITH MAX_USER_CONNECTIONS 1",
    "few_questions": "WITH MAX_QUERIES_PER_HOUR 2",
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = new_authority(tmp_path_factory.mktemp("authority"))
    authority.sign("server", "/CN=db", "IP:127.0.0.1")
    authority.sign("expired", "/CN=db", "IP:127.0.0.1", days=-1)
    authority.sign("client", "/CN=etl")
    return authority


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    stranger = new_authority(tmp_path_factory.mktemp("stranger"), "/CN=stranger")
    stranger.sign("client", "/CN=etl")
    return stranger


@pytest.fixture(scope="module", params=[MySQL, MariaDB], ids=["mysql", "mariadb"])
def server(request: pytest.FixtureRequest, authority: Authority) -> Iterator[MySQL | MariaDB]:
    """A server with TLS and an account of each kind."""
    with request.param(*authority.server_arguments("server")) as server:
        for name, demand in ACCOUNTS.items():
            server.execute(f"CREATE USER {name} IDENTIFIED BY '{PASSWORD}' {demand}")
        yield server


@pytest.fixture(scope="module")
def mysql_tls(authority: Authority) -> Iterator[MySQL]:
    with MySQL(*authority.server_arguments("server")) as server:
        yield server


@pytest.fixture(scope="module")
def fresh_mysql() -> Iterator[MySQL]:
    """A server as it is after installing: with a certificate that it made for itself."""
    with MySQL() as server:
        yield server


def account(server: MySQL | MariaDB, user: str, tls: str = "require", **settings: object) -> MySQLConfig:
    config = MySQLConfig(host=server.host, port=server.port, user=user, password=Secret(PASSWORD), tls="require")
    return msgspec.structs.replace(config, tls=tls, **settings)


def forget_logins(server: MySQL | MariaDB) -> None:
    """Empty the cache of caching_sha2_password, but for the account of `execute`."""
    server.execute("FLUSH PRIVILEGES")
    mysql.connector.connect(user=server.user, password=PASSWORD, unix_socket=f"{server.folder}/socket").close()


def refusal(config: MySQLConfig) -> SourceError:
    with pytest.raises(SourceError) as caught:
        Session(config).close()
    error = caught.value
    assert error.why
    assert error.next_step
    assert "doctor" not in f"{error} {error.next_step}"
    assert config.password.reveal() not in f"{error} {error.next_step}"
    found = [check for check in check_server(config) if check.subject == "source"]
    assert [(check.finding.startswith(error.what), check.next_step) for check in found] == [(True, error.next_step)]
    print(f"{error.what}\n  {error.why}\n  {error.next_step}")
    return error


def logs_in(config: MySQLConfig) -> bool:
    with Session(config) as session:
        return bool(session.cipher) == (config.tls != "disable")


@pytest.mark.parametrize("tls", ["require", "verify"])
def test_default_authentication_works_over_tls_whether_or_not_the_server_remembers_the_account(
    server: MySQL | MariaDB, authority: Authority, tls: str
) -> None:
    forget_logins(server)
    assert logs_in(account(server, "plain_one", tls, ca=authority.ca))
    assert logs_in(account(server, "plain_one", tls, ca=authority.ca))


def test_without_tls_a_sha2_login_depends_on_what_the_server_remembers(mysql_tls: MySQL) -> None:
    mysql_tls.execute(f"CREATE USER forgotten IDENTIFIED BY '{PASSWORD}'")
    config = account(mysql_tls, "forgotten", "disable")
    error = refusal(config)
    assert error.what.endswith("refuses the login without TLS")
    assert "caching_sha2_password" in error.why
    assert "remembers" in error.why
    assert "tls: verify" in error.next_step
    assert logs_in(account(mysql_tls, "forgotten"))
    assert logs_in(config)
    wrong = msgspec.structs.replace(config, password=Secret("s3cret-and-wrong"))
    assert "if the password is right" in refusal(wrong).why
    forget_logins(mysql_tls)
    assert "remembers" in refusal(config).why


def test_a_server_that_demands_tls_says_so() -> None:
    with MySQL() as server:
        server.execute("SET GLOBAL require_secure_transport = ON")
        error = refusal(account(server, server.user, "disable"))
    assert error.what.endswith("refuses connections without TLS")
    assert "tls: verify" in error.next_step


def test_a_wrong_password_over_tls_is_told_apart(server: MySQL | MariaDB) -> None:
    error = refusal(msgspec.structs.replace(account(server, "plain_one"), password=Secret("s3cret-and-wrong")))
    assert error.what.endswith("refuses the login")
    assert error.next_step.startswith("check user and password in tables.yaml")


def test_an_account_that_demands_tls_is_told_how_to_get_in(server: MySQL | MariaDB) -> None:
    forget_logins(server)
    assert logs_in(account(server, "with_tls"))
    error = refusal(account(server, "with_tls", "disable"))
    assert "tls: verify" in error.next_step


@pytest.mark.parametrize("user", ["with_certificate", "with_subject"])
def test_a_client_certificate_opens_an_account_that_demands_one(
    server: MySQL | MariaDB, authority: Authority, user: str
) -> None:
    cert, key = authority.pair("client")
    assert logs_in(account(server, user, cert=cert, key=key))
    assert logs_in(account(server, user, "verify", ca=authority.ca, cert=cert, key=key))
    error = refusal(account(server, user))
    assert error.what.endswith("refuses the login")
    assert "REQUIRE X509" in error.next_step
    assert "cert and key" in error.next_step


def test_a_certificate_of_another_subject_is_told(server: MySQL | MariaDB, authority: Authority) -> None:
    cert, key = authority.pair("server")
    assert "another client certificate" in refusal(account(server, "with_subject", cert=cert, key=key)).next_step


def test_a_client_certificate_that_the_server_does_not_trust_is_told(
    server: MySQL | MariaDB, stranger: Authority
) -> None:
    cert, key = stranger.pair("client")
    error = refusal(account(server, "with_certificate", cert=cert, key=key))
    assert error.what.endswith("broke off the login")
    assert "ssl_ca" in error.next_step


def test_a_locked_account_is_told(server: MySQL | MariaDB) -> None:
    error = refusal(account(server, "locked"))
    assert error.what.endswith("has locked the account")
    assert "ACCOUNT UNLOCK" in error.next_step


def test_an_expired_password_is_told(server: MySQL | MariaDB) -> None:
    error = refusal(account(server, "expired"))
    assert "expired" in error.what
    assert "PASSWORD EXPIRE NEVER" in error.next_step


def test_a_limit_of_the_account_is_told(server: MySQL | MariaDB) -> None:
    with Session(account(server, "one_at_a_time")):
        error = refusal(account(server, "one_at_a_time"))
    assert "limit for this account" in error.what
    assert "max_user_connections" in error.why
    assert "limit for this account" in refusal(account(server, "few_questions")).what


def test_a_certificate_of_another_authority_is_told(server: MySQL | MariaDB, stranger: Authority) -> None:
    error = refusal(account(server, "plain_one", "verify", ca=stranger.ca))
    assert error.what.endswith("cannot be trusted")
    assert error.why.startswith(f"no authority in {stranger.ca} has signed its certificate")
    assert "`ca`" in error.next_step
    assert "no authority in /" in refusal(account(server, "plain_one", "verify")).why


def test_a_certificate_that_signed_itself_is_told_with_what_can_be_done(tls_server: tuple[MariaDB, Path]) -> None:
    server, certificate = tls_server
    error = refusal(account(server, server.user, "verify"))
    assert "self-signed" in error.why
    assert "tls: require" in error.next_step
    assert logs_in(account(server, server.user, "verify", ca=str(certificate)))


def test_a_certificate_for_another_host_is_told(server: MySQL | MariaDB, authority: Authority) -> None:
    config = account(server, "plain_one", "verify", ca=authority.ca, host="localhost")
    error = refusal(config)
    assert error.why.startswith("its certificate is not for the host localhost")
    assert "host" in error.next_step


def test_a_certificate_that_has_expired_is_told(authority: Authority) -> None:
    with MariaDB(*authority.server_arguments("expired")) as server:
        error = refusal(account(server, server.user, "verify", ca=authority.ca))
    assert "expired" in error.why
    assert "renewed" in error.next_step


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_certificate_that_mysql_makes_for_itself_can_only_be_used_with_require(
    fresh_mysql: MySQL, host: str
) -> None:
    for ca in (str(fresh_mysql.folder / "data" / "ca.pem"), None):
        error = refusal(account(fresh_mysql, fresh_mysql.user, "verify", ca=ca, host=host))
        assert "generated for itself" in error.why
        assert "can never pass" in error.why
        assert "tls: require" in error.next_step
    assert logs_in(account(fresh_mysql, fresh_mysql.user, "require", host=host))


@pytest.mark.parametrize(("start", "tls"), [(MySQL, "require"), (MySQL, "verify"), (MariaDB, "verify")])
def test_a_server_without_tls_is_told_before_any_password_is_sent(
    start: type[MySQL | MariaDB], tls: str, authority: Authority
) -> None:
    with start(*(["--tls-version="] if start is MySQL else [])) as server:
        server.execute("FLUSH PRIVILEGES")
        error = refusal(account(server, server.user, tls, ca=authority.ca))
    assert "the server offers no TLS" in error.why


def test_a_password_scheme_that_the_driver_does_not_know_is_told() -> None:
    with MariaDB() as server:
        server.execute(
            "INSTALL SONAME 'auth_ed25519'",
            f"CREATE USER modern IDENTIFIED VIA ed25519 USING PASSWORD('{PASSWORD}')",
        )
        error = refusal(account(server, "modern", "disable"))
    assert "does not know" in error.what
    assert "IDENTIFIED" in error.next_step


@pytest.mark.parametrize("setting", ["ca", "cert", "key"])
def test_a_file_that_is_not_there_is_told_by_its_path_and_setting(
    tmp_path: Path, authority: Authority, setting: str
) -> None:
    cert, key = authority.pair("client")
    files = {"ca": authority.ca, "cert": cert, "key": key, setting: str(tmp_path / "none.pem")}
    error = refusal(MySQLConfig(host="127.0.0.1", user="u", password=Secret("password-1"), **files))
    assert error.what == f"cannot read {tmp_path / 'none.pem'}"
    assert error.why == "No such file or directory"
    assert f"`{setting}`" in error.next_step


def test_files_that_are_not_what_they_should_be_are_told(tmp_path: Path, authority: Authority) -> None:
    cert, key = authority.pair("client")
    protected, text = tmp_path / "protected.pem", tmp_path / "text.pem"
    openssl("rsa", "-aes256", "-passout", "pass:unknown", "-in", key, "-out", protected)
    text.write_text("no certificate")

    def told(**files: str) -> str:
        given = {"ca": authority.ca, "cert": cert, "key": key, **files}
        return str(refusal(MySQLConfig(host="127.0.0.1", user="u", password=Secret("password-1"), **given)))

    assert "passphrase" in told(key=str(protected))
    assert "MISMATCH" in told(key=authority.pair("server")[1])
    assert f"cannot use {text} as `ca`" in told(ca=str(text))
    assert "cannot use the client certificate" in told(cert=str(text))
