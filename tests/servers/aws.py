"""The two calls of AWS that give logins to Redshift, over HTTP."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs

_CREDENTIALS = (
    '<GetClusterCredentialsResponse xmlns="http://redshift.amazonaws.com/doc/2012-12-01/">'
    "<GetClusterCredentialsResult><DbUser>{user}</DbUser><DbPassword>{password}</DbPassword>"
    "<Expiration>2099-01-01T00:00:00Z</Expiration></GetClusterCredentialsResult></GetClusterCredentialsResponse>"
)
_DENIED = (
    '<ErrorResponse xmlns="http://redshift.amazonaws.com/doc/2012-12-01/"><Error><Type>Sender</Type>'
    "<Code>AccessDenied</Code><Message>not authorized to perform: redshift:GetClusterCredentials</Message></Error>"
    "</ErrorResponse>"
)


class AwsLogins:
    """Gives one user and password. requests: what was asked. denied: nobody is given any."""

    def __init__(self, user: str, password: str) -> None:
        self.user, self.password = user, password
        self.requests: list[dict[str, str]] = []
        self.denied = False
        logins = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Either protocol: the query of clusters, JSON of workgroups."""
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                target = self.headers.get("X-Amz-Target")
                asked = json.loads(body) if target else {key: value[0] for key, value in parse_qs(body).items()}
                logins.requests.append({"Action": (target or asked.get("Action", "")).rpartition(".")[2], **asked})
                self._answer(logins.answer(is_json=bool(target)))

            def _answer(self, text: str) -> None:
                self.send_response(403 if logins.denied else 200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                """Requests are not worth a line each."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.endpoint_url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, *, is_json: bool) -> str:
        """What AWS would say."""
        if self.denied:
            return _DENIED
        if is_json:
            return json.dumps({"dbUser": self.user, "dbPassword": self.password, "expiration": 4_070_908_800})
        return _CREDENTIALS.format(user=self.user, password=self.password)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
