"""The S3 client: boto3's, with the chain's credentials or those of a role assumed with them."""

from functools import partial
from typing import TYPE_CHECKING, Any

import boto3.session
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    Credentials,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.session import Session

from wmtui.config import S3Config
from wmtui.secrets import know

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECTIONS = 32
"""How many threads may talk to the store at once before they wait for each other's connections."""

CONNECT_SECONDS = 5
READ_SECONDS = 60


def build_client(config: S3Config) -> "S3Client":
    """A client with the chain's credentials, the named profile's, or those of the role assumed with them.

    Retries are botocore's "standard" mode: 3 attempts, or what AWS_MAX_ATTEMPTS says.
    Raises BotoCoreError, and ValueError for an endpoint that is no URL.
    """
    session = Session(profile=config.profile)
    if config.role_arn:
        session = _assume(config.role_arn, session, config)
    client = boto3.session.Session(botocore_session=session).client(
        "s3", region_name=config.region, endpoint_url=config.endpoint_url, config=_settings(config)
    )
    client.meta.events.register("before-send.s3", _know_token)
    client.meta.events.register("before-call.s3.HeadBucket", _end_redirection)
    credentials = session.get_credentials()
    if type(credentials) is Credentials:
        know(credentials.secret_key)
        texts = (credentials.access_key, credentials.secret_key, credentials.token or "")
        if any(character.isspace() for text in texts for character in text):
            raise ValueError(f"the credentials from {credentials.method} hold a blank or a line end")
    return client


def _end_redirection(**_: object) -> None:
    """botocore asks for the region of a bucket when it is sent elsewhere, and asks again for ever when that is, too."""
    nothing: Any = {"Error": {}, "ResponseMetadata": {"HTTPHeaders": {}}}
    raise ClientError(nothing, "HeadBucket")


def _know_token(request: AWSPreparedRequest, **_: object) -> None:
    """Session tokens are renewed meanwhile: each request says which one is in use."""
    token = request.headers.get("X-Amz-Security-Token", b"")
    know(token.decode(errors="replace") if isinstance(token, bytes) else token)


def _settings(config: S3Config) -> Config:
    settings = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=CONNECTIONS,
        retries={"mode": "standard"},
    )
    if config.endpoint_url is None:
        return settings
    # S3-compatible servers rarely have a DNS name per bucket, and not all know the newer checksum headers.
    compatible = Config(
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return settings.merge(compatible)


def _assume(role_arn: str, session: Session, config: S3Config) -> Session:
    """A session that acts as the role and renews its credentials before they expire."""
    own = session.get_credentials()
    if own is None:
        raise NoCredentialsError
    region = config.region or session.get_config_variable("region") or "us-east-1"

    create_client = partial(session.create_client, region_name=region)
    fetcher = AssumeRoleCredentialFetcher(create_client, own, role_arn, extra_args={"RoleSessionName": "wmtui"})
    assumed = Session(profile=config.profile)
    assumed.register_component("credential_provider", CredentialResolver([_Role(fetcher)]))
    return assumed


class _Role(CredentialProvider):
    METHOD = "assume-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> DeferredRefreshableCredentials:
        """Credentials that are asked for at the first request, and again before they expire."""
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)
