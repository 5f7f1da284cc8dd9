"""Logging in to Redshift by IAM: a database user with a password that AWS gives for some minutes."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from wmtui.config import IamLogin, RedshiftConfig, Secret
from wmtui.errors import WarehouseError

_LIFE_SECONDS = 900
"""Validity of a password: the shortest that AWS gives. An open connection outlives it."""
_RENEW_SECONDS = 600
_TIMEOUT_SECONDS = 10


def credentials(config: RedshiftConfig) -> Callable[[], tuple[str, Secret]]:
    """What gives user and password of a new connection: those of tables.yaml, or by `iam_login`, which stands there
    where no password does.
    """
    if config.password is None:
        return IamPasswords(config, config.iam_login or IamLogin()).get
    login = (config.user, config.password)
    return lambda: login


class IamPasswords:
    """Passwords of one warehouse, each used for ten minutes. Safe to share between threads."""

    def __init__(self, config: RedshiftConfig, login: IamLogin) -> None:
        self._config = config
        self._login = login
        self._lock = Lock()
        self._last: tuple[float, tuple[str, Secret]] | None = None

    def get(self) -> tuple[str, Secret]:
        """User and password. Raises WarehouseError when AWS gives none."""
        with self._lock:
            if self._last is None or time.monotonic() - self._last[0] > _RENEW_SECONDS:
                self._last = (time.monotonic(), self._request())
            return self._last[1]

    def _request(self) -> tuple[str, Secret]:
        try:
            if self._login.cluster is not None:
                response = self._client("redshift").get_cluster_credentials(
                    ClusterIdentifier=self._login.cluster,
                    DbUser=self._config.user,
                    DbName=self._config.database,
                    DurationSeconds=_LIFE_SECONDS,
                    AutoCreate=False,
                )
                return response["DbUser"], Secret(response["DbPassword"])
            response = self._client("redshift-serverless").get_credentials(
                workgroupName=self._login.workgroup, dbName=self._config.database, durationSeconds=_LIFE_SECONDS
            )
            return response["dbUser"], Secret(response["dbPassword"])
        except (BotoCoreError, ClientError, ValueError) as error:
            action = "GetClusterCredentials" if self._login.cluster else "GetCredentials"
            service = "redshift" if self._login.cluster else "redshift-serverless"
            raise WarehouseError(
                f"AWS gives no login to {self._login.cluster or self._login.workgroup}",
                str(error),
                f"check iam_login in tables.yaml, and that this account may do {service}:{action}",
            ) from error

    def _client(self, service: str) -> Any:
        settings = Config(connect_timeout=_TIMEOUT_SECONDS, read_timeout=_TIMEOUT_SECONDS, retries={"mode": "standard"})
        session = boto3.session.Session(profile_name=self._login.profile, region_name=self._login.region)
        make: Any = session.client
        return make(service, endpoint_url=self._login.endpoint_url, config=settings)
