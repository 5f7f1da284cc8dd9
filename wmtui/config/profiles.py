"""Choosing and reading a profile: environment variables, time zone, paths."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from wmtui.config.document import VARIABLE, At, Document, suggestion, unwanted_character
from wmtui.config.schema import DuckDBConfig, MySQLConfig, Profile, RedshiftConfig, TopLevel
from wmtui.errors import ConfigError
from wmtui.secrets import AWS_VARIABLES, know, know_address
from wmtui.texts import did_you_mean

_LONGEST_LIMIT = timedelta(days=24)


def choose(document: Document, top: TopLevel, named: str | None) -> str:
    """The name of the profile asked for, else `default_profile`, else the only one; a protected one only by name."""
    profiles = ", ".join(top.profiles) or "none"
    chosen = named or top.default_profile or (next(iter(top.profiles)) if len(top.profiles) == 1 else None)
    if chosen is None:
        raise ConfigError(
            f"{document.path}: which profile?",
            f"there are {profiles} and no default_profile",
            "name one with --profile, or set default_profile",
        )
    if chosen not in top.profiles:
        at = ("profiles",) if named else ("default_profile",)
        raise document.error(f"no profile {chosen!r}", f"profiles are {profiles}", at, suggestion(chosen, top.profiles))
    # Before expansion anything but a plain false protects, `${ENV}` too.
    if not named and document.value(("profiles", chosen, "protected")) not in (None, False):
        raise document.error(
            f"profile {chosen} is protected",
            "a protected profile is never a default",
            ("profiles", chosen, "protected"),
            f"name it: --profile {chosen}",
        )
    return chosen


def read(document: Document, name: str, env: Mapping[str, str]) -> Profile:
    """The profile with `${ENV}` expanded and its paths made absolute; raises ConfigError."""
    at = ("profiles", name)
    expanded = _expand(document, document.value(at), at, env)
    profile = document.convert(expanded, Profile, at)
    _refuse_credentials_in_addresses(document, profile, at)
    if profile.store.startswith("s3://") or getattr(profile.warehouse, "iam_login", None):
        _check_aws_variables(env)
    _check_zone(document, profile.timezone, at)
    if isinstance(profile.source, MySQLConfig):
        _check_client_certificate(document, profile.source, (*at, "source"))
    _check_time_limits(document, profile, at)
    if isinstance(profile.warehouse, RedshiftConfig):
        _check_login(document, profile.warehouse, (*at, "warehouse"))
    return _absolute(document, profile, at)


def literal_passwords(document: Document, names: Mapping[str, object]) -> Iterator[str]:
    """A warning for each password that is written out in the file, of any profile; none is shown from then on."""
    for name in names:
        at_profile = ("profiles", name)
        secrets = ("source", "password"), ("warehouse", "password"), ("warehouse", "access_keys", "secret")
        for keys in secrets:
            at = (*at_profile, *keys)
            password = document.value(at)
            if password and not VARIABLE.search(str(password)):
                know(str(password))
                yield f"{document.path}, line {document.line(at)}: the password is written out; use ${{ENV}} instead"


def _expand(document: Document, raw: Any, at: At, env: Mapping[str, str]) -> Any:
    if isinstance(raw, dict):
        return {key: _expand(document, value, (*at, key), env) for key, value in raw.items()}
    if not isinstance(raw, str):
        return raw
    for variable in VARIABLE.findall(raw):
        if variable not in env:
            raise document.error(
                f"environment variable {variable} is not set",
                f"profile {at[1]} needs it",
                at,
                f"export {variable}=… before starting wmtui",
            )
        if blemish := unwanted_character(env[variable]):
            why = "it was probably copied along, and no value needs it"
            raise document.error(f"environment variable {variable} has {blemish}", why, at, f"export {variable} again")
    return VARIABLE.sub(lambda match: env[match[1]], raw)


def _refuse_credentials_in_addresses(document: Document, profile: Profile, at: At) -> None:
    """Addresses are shown, in errors and by `doctor`; a user and password do not belong there."""
    login = getattr(profile.warehouse, "iam_login", None)
    addresses = {
        ("store",): profile.store if "://" in profile.store else None,
        ("s3", "endpoint_url"): profile.s3.endpoint_url,
        ("source", "host"): getattr(profile.source, "host", None),
        ("warehouse", "host"): getattr(profile.warehouse, "host", None),
        ("warehouse", "iam_login", "endpoint_url"): login and login.endpoint_url,
    }
    with_secrets = [keys for keys, address in addresses.items() if address and know_address(address)]
    for keys in with_secrets:
        why = "what stands before the @ is taken for credentials, and an address is shown in messages"
        next_step = "write the address without them, and credentials where they belong"
        raise document.error(f"{'.'.join(keys)} holds credentials", why, (*at, *keys), next_step)


def _check_aws_variables(env: Mapping[str, str]) -> None:
    """Credentials go into headers, and libraries quote what they refuse there."""
    for name in AWS_VARIABLES:
        if blemish := unwanted_character(env.get(name, "")):
            why = "it was probably copied along, and no key or token has one"
            raise ConfigError(f"environment variable {name} has {blemish}", why, f"export {name} again, without it")
    for name, address in env.items():
        if name.startswith("AWS_ENDPOINT_URL") and know_address(address):
            why = "an address is shown in messages"
            next_step = "write it without them, and credentials where they belong"
            raise ConfigError(f"environment variable {name} holds credentials", why, next_step)


def _check_zone(document: Document, zone: str, at: At) -> None:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        where = (*at, "timezone")
        raise document.error(
            "unknown time zone" if VARIABLE.search(str(document.value(where))) else f"unknown time zone {zone!r}",
            "it is not an IANA name",
            where,
            did_you_mean(zone, available_timezones(), "write it like Asia/Shanghai or UTC"),
        ) from None


def _check_client_certificate(document: Document, config: MySQLConfig, at: At) -> None:
    """A certificate and its key belong together, and nothing carries them without TLS."""
    given = [name for name in ("cert", "key") if getattr(config, name)]
    if not given:
        return
    where = (*at, given[0])
    if config.tls == "disable":
        why = "a client certificate is shown in the TLS handshake, and tls: disable has none"
        raise document.error(f"source.{given[0]} without TLS", why, where, "set tls: verify or require, or remove it")
    if len(given) == 1:
        missing = "key" if given == ["cert"] else "cert"
        why = "a client certificate needs its private key, and a key its certificate"
        raise document.error(f"source.{missing} is missing", why, where, f"name the file as {missing}, or remove it")


def _check_time_limits(document: Document, profile: Profile, at: At) -> None:
    """Servers take 0 for no limit, and count milliseconds in 32 bits."""
    for side, config in (("source", profile.source), ("warehouse", profile.warehouse)):
        for name in ("max_statement", "statement_timeout", "lock_timeout", "idle_timeout"):
            limit = getattr(config, name, None)
            if limit is not None and not timedelta(0) < limit <= _LONGEST_LIMIT:
                why = "servers take 0 for no limit" if not limit else "servers take 24 days at most"
                where = (*at, side, name)
                raise document.error(f"{side}.{name} is no limit", why, where, "write 1s or more, 24d at most")


def _check_login(document: Document, config: RedshiftConfig, at: At) -> None:
    """Redshift is entered in one way, and that is a whole one."""
    login = config.iam_login
    if (login is None) == (config.password is None):
        why = (
            "there is no password (some words need quotes to be one) and no iam_login"
            if login is None
            else "there is a password and an iam_login"
        )
        raise document.error("how to log in to Redshift?", why, at, "set one of password and iam_login")
    if login is not None and (login.cluster is None) == (login.workgroup is None):
        why = "a login is to a cluster or to a workgroup"
        raise document.error("iam_login is wrong", why, (*at, "iam_login"), "set one of cluster and workgroup")
    if not config.user and (login is None or login.workgroup is None):
        raise document.error("warehouse.user is missing", "Redshift is entered as a user", at, "name the user")


def _absolute(document: Document, profile: Profile, at: At) -> Profile:
    """Relative paths count from the file's folder, so that cron finds them from anywhere."""
    base = document.path.absolute().parent

    def absolute(text: str, *keys: str) -> str:
        try:
            return str((base / Path(text).expanduser()).resolve())
        except (RuntimeError, ValueError):
            why = "it names an unknown ~user, or has a character that no path has"
            raise document.error(f"{keys[-1]} is not a path", why, (*at, *keys), "write the whole path") from None

    return msgspec.structs.replace(
        profile,
        store=_store_root(document, profile.store, at, absolute),
        source=_files_absolute(profile.source, "source", absolute),
        warehouse=_files_absolute(profile.warehouse, "warehouse", absolute),
    )


def _store_root(document: Document, root: str, at: At, absolute: Callable[..., str]) -> str:
    scheme, separator, rest = root.partition("://")
    if not separator:
        return absolute(root, "store")
    if scheme != "s3" or not rest.strip("/"):
        why = "it is neither s3://bucket[/prefix] nor a folder"
        raise document.error("store is not an address", why, (*at, "store"), "mend the address")
    return root


def _files_absolute(config: Any, part: str, absolute: Callable[..., str]) -> Any:
    if isinstance(config, DuckDBConfig):
        return msgspec.structs.replace(config, path=absolute(config.path, part, "path"))
    files = {name: getattr(config, name, None) for name in ("ca", "cert", "key")}
    return msgspec.structs.replace(config, **{name: absolute(text, part, name) for name, text in files.items() if text})
