"""An S3 server on loopback for tests: moto over HTTP, with atomic conditional writes and faults on demand."""

import io
import re
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple, Self
from urllib.parse import unquote
from uuid import uuid4

from botocore.loaders import create_loader
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.models import S3Backend, s3_backends
from werkzeug.serving import make_server

Environ = dict[str, Any]

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "correct-horse",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}
"""Where boto finds credentials the server accepts, none of the machine's own, and no way out of the machine."""

shared_loader = cache(create_loader)
"""Hands every botocore session the same reader of service descriptions, which it would parse again for each client."""

_HOLD_SECONDS = 30


class Answer(NamedTuple):
    """What the server sends back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


Serve = Callable[[Environ], Answer]
Action = Callable[[Environ, Serve], Answer]
"""Decides a matched request; `serve` is the server without the fault."""


def refuse(status: int, code: str) -> Action:
    """Answer with an S3 error such as (503, "SlowDown") without serving the request."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>a fault of the test</Message></Error>".encode()
    return lambda *_: Answer(status, [("Content-Type", "application/xml")], body)


def answer(status: int, body: bytes = b"", *headers: tuple[str, str]) -> Action:
    """Answer with this, whatever was asked, as a proxy does."""
    return lambda *_: Answer(status, list(headers), body)


def rewrite(change: Callable[[bytes], bytes]) -> Action:
    """Serve the request, and change the body of the answer."""

    def act(environ: Environ, serve: Serve) -> Answer:
        status, headers, body = serve(environ)
        body = change(body)
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        return Answer(status, [*kept, ("Content-Length", str(len(body)))], body)

    return act


def serve_then(action: Action) -> Action:
    """Serve the request, but let the answer be another's: `serve_then(refuse(500, "InternalError"))`."""

    def act(environ: Environ, serve: Serve) -> Answer:
        serve(environ)
        return action(environ, serve)

    return act


def hang_up(environ: Environ, _: Serve) -> Answer:
    """Close the connection without an answer; `serve_then(hang_up)` is a lost response."""
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return Answer(500, [], b"")


def ignore_headers(*names: str) -> Action:
    """Serve as if the headers had not been sent: a server that ignores If-Match or If-None-Match."""

    def act(environ: Environ, serve: Serve) -> Answer:
        ignored = {f"HTTP_{name.upper().replace('-', '_')}" for name in names}
        return serve({name: value for name, value in environ.items() if name not in ignored})

    return act


def require_unquoted_etags(environ: Environ, serve: Serve) -> Answer:
    """Answer 412 to an If-Match in quotes, as some S3-compatible servers do."""
    if environ.get("HTTP_IF_MATCH", "").startswith('"'):
        return refuse(412, "PreconditionFailed")(environ, serve)
    return serve(environ)


def truncate_body(environ: Environ, serve: Serve) -> Answer:
    """Break the connection in the middle of the answer's body."""
    status, headers, body = serve(environ)
    return Answer(status, headers, body[: len(body) // 2])


def hold(arrived: threading.Event, released: threading.Event) -> Action:
    """Report the request's arrival and serve it when released."""

    def act(environ: Environ, serve: Serve) -> Answer:
        arrived.set()
        released.wait(_HOLD_SECONDS)
        return serve(environ)

    return act


@dataclass
class _Rule:
    action: Action
    method: str
    key: str
    remaining: int | None


@dataclass
class Faults:
    """Rules tried in order for every request; the first that matches acts."""

    _rules: list[_Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, action: Action, *, method: str = ".*", key: str = ".*", times: int | None = 1) -> None:
        """Let `action` decide `times` requests (None: all) whose method equals and whose key contains the regex."""
        with self._lock:
            self._rules.append(_Rule(action, method, key, times))

    def clear(self) -> None:
        """Forget every rule."""
        with self._lock:
            self._rules.clear()

    def take(self, method: str, key: str) -> Action | None:
        """The action for a request, counted as used."""
        with self._lock:
            for rule in self._rules:
                if rule.remaining != 0 and re.fullmatch(rule.method, method) and re.search(rule.key, key):
                    rule.remaining = None if rule.remaining is None else rule.remaining - 1
                    return rule.action
        return None


class _QuietHandler(MotoRequestHandler):
    def log(self, *_: Any) -> None:
        """Requests are not worth a line each."""


class S3Server:
    """moto behind one lock (its If-Match check and its write are two steps), as a context manager."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.requests: list[tuple[str, str]] = []
        """(method, key) of every object request and (method, "") of every bucket request, in order."""
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()
        self._server = make_server("127.0.0.1", 0, self._application, threaded=True, request_handler=_QuietHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.endpoint_url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def _backend(self) -> S3Backend:
        return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]

    def new_bucket(self) -> str:
        """The name of a new, empty bucket."""
        name = f"test-{uuid4().hex[:12]}"
        with self._lock:
            self._backend.create_bucket(name, "us-east-1")
        return name

    def fill(self, bucket: str, keys: Iterable[str], data: bytes = b"") -> None:
        """Put one content under many keys, faster than over HTTP."""
        with self._lock:
            for key in keys:
                self._backend.put_object(bucket, key, data)

    def copy(self, source: tuple[str, str], target: tuple[str, str], wanted: Callable[[str], bool]) -> None:
        """Copy the wanted objects below a prefix, at one moment. source, target: bucket and prefix."""
        (bucket, prefix), (into, below) = source, target
        with self._lock:
            for key, found in list(self._backend.get_bucket(bucket).keys.items()):
                if key.startswith(prefix) and wanted(key[len(prefix) :]):
                    self._backend.put_object(into, below + key[len(prefix) :], found.value)

    def contents(self, bucket: str) -> dict[str, bytes]:
        """Every object of a bucket, read behind the server's back: no fault acts, no request is remembered."""
        with self._lock:
            return {key: found.value for key, found in self._backend.get_bucket(bucket).keys.items()}

    def remove(self, bucket: str, key: str) -> None:
        """Lose an object."""
        with self._lock:
            self._backend.delete_object(bucket, key)

    def set_last_modified(self, bucket: str, key: str, at: datetime) -> None:
        """Let an object look as if written at another time (aware)."""
        with self._lock:
            self._backend.get_object(bucket, key).last_modified = at.astimezone(UTC).replace(tzinfo=None)

    def reset(self) -> None:
        """Back to no faults, no remembered requests and no buckets."""
        self.faults.clear()
        self.requests.clear()
        with self._lock:
            self._backend.reset()

    def _application(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        key = unquote(environ["RAW_URI"].partition("?")[0]).lstrip("/").partition("/")[2]
        method = environ["REQUEST_METHOD"]
        self.requests.append((method, key))
        action = self.faults.take(method, key)
        answer = action(environ, self._serve) if action else self._serve(environ)
        start_response(f"{answer.status} {answer.status}", answer.headers)
        return [answer.body]

    def _serve(self, environ: Environ) -> Answer:
        answered: list[Any] = []
        with self._lock:
            chunks = self._moto(environ, lambda status, headers, *_: answered.extend((status, headers)))
            body = b"".join(chunks)
        return Answer(int(answered[0].split()[0]), answered[1], body)
