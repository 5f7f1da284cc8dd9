"""Every secret this process has met, and texts without them.

Configuration, environment and adapters tell what they read; whatever prints or stores a text asks here.
"""

import json
import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

HIDDEN = "***"
"""What stands for a secret."""

AWS_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
"""The variables that credentials of AWS come from; the first is a name, no secret."""

_VARIABLES = (*AWS_VARIABLES[1:], "AWS_CONTAINER_AUTHORIZATION_TOKEN", "MYSQL_PWD", "PGPASSWORD")
_ADDRESSES = re.compile(r"(?i)(https?|all)_proxy|AWS_ENDPOINT_URL(_\w+)?")
_SHORTEST = 4
"""Shorter ones would leave nothing of a text, and tell by the gaps what they are."""
_FOUND_ANYWHERE = 8
"""From this length on a secret is found inside of words too; `test` would be found in `latest`."""


class _Known:
    """The secrets met so far, and the pattern that finds them. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: set[str] = set()
        self.pattern: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        """Take a secret in; one that is known costs next to nothing."""
        if len(secret) < _SHORTEST or secret in self._secrets:
            return
        with self._lock:
            self._secrets.add(secret)
            forms = {form: len(known) for known in self._secrets for form in _forms(known)}
            ordered = sorted(forms, key=lambda form: (-len(form), form))
            self.pattern = re.compile("|".join(_finding(form, forms[form]) for form in ordered))

    def clear(self) -> None:
        with self._lock:
            self._secrets.clear()
            self.pattern = None


_known = _Known()


def know(secret: str) -> None:
    """From now on no text shows this secret. One of fewer than four characters is no secret."""
    _known.add(secret)


def know_environment(environment: Mapping[str, str]) -> None:
    """Know the secrets that libraries find in the environment, passwords in the addresses of proxies included."""
    for name in _VARIABLES:
        know(environment.get(name, "").strip())
    for name, address in environment.items():
        if _ADDRESSES.fullmatch(name):
            know_address(address)


def know_address(address: str) -> bool:
    """Know the user and password that stand in an address, as in `https://user:password@host`; whether any do."""
    try:
        userinfo, at, _ = urlsplit(address if "://" in address else f"//{address}").netloc.rpartition("@")
    except ValueError:
        userinfo, at, _ = address.partition("://")[2].rpartition("@")
    for part in userinfo.split(":", 1) if at else ():
        know(part)
        know(unquote(part))
    return bool(at)


def forget_all() -> None:
    """Know no secret any more."""
    _known.clear()


def redact(text: str) -> str:
    """The text with *** for every known secret, as it is or as it stands in an address, in JSON, SQL or Python."""
    pattern = _known.pattern
    return text if pattern is None else pattern.sub(HIDDEN, text)


def redacted(value: Any) -> Any:
    """A JSON value with *** for every known secret in its texts."""
    if _known.pattern is None:
        return value
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redacted(key): redacted(item) for key, item in value.items()}
    return [redacted(item) for item in value] if isinstance(value, list | tuple) else value


def _forms(secret: str) -> set[str]:
    """How a secret may stand in a text."""
    encoded = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    lower = {re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), form) for form in encoded}
    escaped = {json.dumps(secret)[1:-1], repr(secret)[1:-1], secret.replace("'", "''"), secret.replace("'", "\\'")}
    return {secret, *encoded, *lower, *escaped}


def _finding(form: str, length: int) -> str:
    pattern = re.escape(form)
    return pattern if length >= _FOUND_ANYWHERE else rf"(?<!\w){pattern}(?!\w)"
