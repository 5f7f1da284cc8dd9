"""TLS to a MySQL server: the driver's arguments, which files it is given, and why a certificate is not trusted."""

import socket
import ssl
import struct
from pathlib import Path
from typing import Any

from wmtui.config import MySQLConfig
from wmtui.errors import SourceError

CONNECT_TIMEOUT = 10
"""Seconds to wait for a connection."""

_AUTO_GENERATED = b"_Auto_Generated_Server_Certificate"
"""In the name of the certificate that MySQL makes for itself when it first starts; no host's name is in it."""

_SIGNED_BY_ITSELF = 18
_NO_AUTHORITY = {_SIGNED_BY_ITSELF, 19, 20, 21}
_OTHER_NAME = {62, 64}
"""Why OpenSSL does not trust a certificate (X509_V_ERR_…): no known authority signed it, or it is for another host."""

# An SSLRequest packet: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
_CLIENT_SSL = 0x800
_CAPABILITIES = 0x200 | _CLIENT_SSL | 0x8000 | 0x80000  # PROTOCOL_41, SSL, SECURE_CONNECTION, PLUGIN_AUTH
_SSL_REQUEST = b"\x20\0\0\x01" + struct.pack("<IIB23x", _CAPABILITIES, 1 << 24, 45)


def tls_arguments(config: MySQLConfig) -> dict[str, Any]:
    """The driver's arguments about TLS. Raises SourceError for a file that is missing or not what it should be."""
    if config.tls == "disable":
        return {"ssl_disabled": True}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    arguments: dict[str, Any] = {"ssl_disabled": False}
    if config.cert and config.key:
        _check_client_certificate(context, config.cert, config.key)
        arguments |= {"ssl_cert": config.cert, "ssl_key": config.key}
    if config.tls == "require":
        return arguments
    if config.ca:
        _check_authorities(context, config.ca)
    return {
        **arguments,
        "ssl_ca": config.ca or _system_authorities(),
        "ssl_verify_cert": True,
        "ssl_verify_identity": True,
    }


def tls_context(config: MySQLConfig) -> ssl.SSLContext | None:
    """TLS as tables.yaml wants it, with the files that `tls_arguments` has checked; None without."""
    if config.tls == "disable":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if config.cert and config.key:
        context.load_cert_chain(config.cert, config.key)
    if config.tls == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(config.ca or _system_authorities())
    return context


def not_trusted(config: MySQLConfig, message: str) -> SourceError:
    """Why the TLS of a server was refused, found by a handshake that ends before any login.

    message: what the driver says, which is the same for every reason.
    """
    try:
        reason = _reason(config, message)
    except (OSError, ValueError) as error:
        why = f"{message} ({getattr(error, 'reason', None) or error})"
        reason = why, "see in the server's log why the handshake failed; it must offer TLS 1.2 or 1.3"
    if reason is None:
        return offers_none(config)
    return SourceError(f"the TLS of MySQL at {config.host}:{config.port} cannot be trusted", *reason)


def offers_none(config: MySQLConfig) -> SourceError:
    """The server has no TLS although tables.yaml wants it."""
    return SourceError(
        f"the connection to MySQL at {config.host}:{config.port} is not encrypted",
        f"the server offers no TLS, and tables.yaml says tls: {config.tls}",
        "enable TLS on the server, or set tls: disable for a network that no one else can read",
    )


def _reason(config: MySQLConfig, message: str) -> tuple[str, str] | None:
    """Why the certificate is refused and what to do; None if there is none. Raises OSError, ValueError."""
    ca = config.ca or _system_authorities()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca)
    try:
        if _certificate(config, context) is None:
            return None
        return message, "check `ca`, and that the server's certificate names its host"
    except ssl.SSLCertVerificationError as error:
        refused = error
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    if _AUTO_GENERATED in (_certificate(config, anyone) or b""):
        return (
            "its certificate is the one that MySQL generated for itself: no host's name is in it,"
            " so `tls: verify` can never pass",
            "give the server a certificate with its host's name, or set tls: require, which encrypts all the same"
            " but does not prove who answers",
        )
    why = refused.verify_message.rstrip(".")
    if refused.verify_code in _NO_AUTHORITY:
        next_step = "name the file of the authority that signed it as `ca` in tables.yaml"
        if refused.verify_code == _SIGNED_BY_ITSELF:
            next_step += "; one that MariaDB makes at each start can only be used with tls: require"
        return f"no authority in {ca} has signed its certificate ({why})", next_step
    if refused.verify_code in _OTHER_NAME:
        next_step = "write `host` as the certificate has it, or give the server a certificate with this name"
        return f"its certificate is not for the host {config.host} ({why})", next_step
    return f"its certificate is refused: {why}", "have the server's certificate renewed"


def _certificate(config: MySQLConfig, context: ssl.SSLContext) -> bytes | None:
    """The server's certificate as the context trusts it, None if it offers no TLS. Nothing secret is sent."""
    with socket.create_connection((config.host, config.port), CONNECT_TIMEOUT) as plain:
        header = _receive(plain, 4)
        greeting = _receive(plain, int.from_bytes(header[:3], "little"))
        if greeting[0] != 10:
            raise ValueError("the server does not greet as MySQL does")
        capabilities = greeting.index(b"\0") + 1 + 4 + 8 + 1
        if not int.from_bytes(greeting[capabilities : capabilities + 2], "little") & _CLIENT_SSL:
            return None
        plain.sendall(_SSL_REQUEST)
        with context.wrap_socket(plain, server_hostname=config.host) as encrypted:
            return encrypted.getpeercert(binary_form=True)


def _receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        piece = connection.recv(size - len(received))
        if not piece:
            raise ConnectionError("the server closed the connection")
        received += piece
    return received


def _check_client_certificate(context: ssl.SSLContext, cert: str, key: str) -> None:
    for setting, path in (("cert", cert), ("key", key)):
        _check_readable(setting, path)
    passphrases: list[str] = []

    def ask() -> str:
        passphrases.append("")
        return ""

    try:
        context.load_cert_chain(cert, key, ask)
    except OSError as error:
        if passphrases:
            why, next_step = "a passphrase protects it", "name a key file without one, which only wmtui's user can read"
            raise SourceError(f"cannot use the key {key}", why, next_step) from error
        raise SourceError(
            f"cannot use the client certificate {cert} with the key {key}",
            getattr(error, "reason", None) or str(error),
            "name a certificate in PEM as `cert`, and the key that belongs to it as `key`",
        ) from error


def _check_authorities(context: ssl.SSLContext, ca: str) -> None:
    _check_readable("ca", ca)
    try:
        context.load_verify_locations(ca)
    except OSError as error:
        why = getattr(error, "reason", None) or str(error)
        raise SourceError(f"cannot use {ca} as `ca`", why, "name a file of certificates in PEM") from error


def _check_readable(setting: str, path: str) -> None:
    try:
        Path(path).open("rb").close()
    except OSError as error:
        why = error.strerror or str(error)
        next_step = f"mend `{setting}` of the source in tables.yaml, or the file's permissions"
        raise SourceError(f"cannot read {path}", why, next_step) from error


def _system_authorities() -> str:
    ca = ssl.get_default_verify_paths().cafile
    if ca is None:
        raise SourceError(
            "cannot verify the server's certificate",
            "this machine has no bundle of trusted certificates",
            "name the file of your authority as `ca` in tables.yaml",
        )
    return ca
