"""What S3 and botocore say, told to an operator: what failed, why, and the next step."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    LoginError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from msgspec import Struct

from wmtui.errors import NotAStore, StoreDenied, StoreError

_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    ProfileNotFound,
    SSOError,
    LoginError,
    TokenRetrievalError,
)

_RENEW = "renew the credentials (`aws sso login`, environment variables or s3.profile), then try again"
_REGION = "set s3.region in tables.yaml to the bucket's region"
_PERMISSION = (
    "the credentials need s3:ListBucket on the bucket and s3:GetObject, s3:PutObject and s3:DeleteObject on its "
    "objects (without s3:ListBucket even an absent object is answered with a refusal)"
)

# Code of an answer (a HEAD has only the status) → why, next step.
_ANSWERS = {
    "NoSuchBucket": ("the bucket {bucket} does not exist at {endpoint}", "check `store` in tables.yaml, or create it"),
    "AccessDenied": ("{endpoint} denies it to these credentials", _PERMISSION),
    "403": ("{endpoint} denies it to these credentials", _PERMISSION),
    "InvalidAccessKeyId": ("{endpoint} does not know the access key", _RENEW),
    "SignatureDoesNotMatch": ("{endpoint} refuses the signature: the secret key is wrong", _RENEW),
    "ExpiredToken": ("the credentials have expired", _RENEW),
    "InvalidToken": ("{endpoint} refuses the session token", _RENEW),
    "RequestTimeTooSkewed": ("this machine's clock differs too much from the store's", "set the clock (NTP)"),
    "PermanentRedirect": ("the bucket {bucket} lives in another region", _REGION),
    "AuthorizationHeaderMalformed": ("the request was signed for another region", _REGION),
    "IllegalLocationConstraintException": ("the bucket {bucket} lives in another region", _REGION),
    "InvalidObjectState": (
        "the object is in an archive and must be restored before it can be read",
        "restore it in S3 (`aws s3api restore-object`), then try again",
    ),
    "KeyTooLongError": ("the key is longer than S3 allows (1,024 bytes)", "shorten the store's prefix"),
}


_DENIALS = {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
"""Codes of answers to credentials that may not do it."""


def no_store(what: str, endpoint: str, found: str) -> NotAStore:
    """The NotAStore for an answer that no object store gives. found: what is wrong with it."""
    why = f"{endpoint} does not answer as an object store does: {found}"
    return NotAStore(what, why, "look for a proxy or login page in between, and check s3.endpoint_url")


def wants_checksum(error: ClientError) -> bool:
    """Whether a write was refused because a checksum has to come with it, as in a bucket with object lock."""
    message = f"{error.response.get('Error', {}).get('Code')} {error.response.get('Error', {}).get('Message')}".lower()
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status == 400 and "required" in message and ("content-md5" in message or "checksum" in message)


class Place(Struct, frozen=True):
    """The bucket and the endpoint that messages name."""

    bucket: str
    endpoint: str

    def explain(self, error: BotoCoreError | ClientError | ValueError, what: str) -> StoreError:
        """The StoreError for a failed request; `what` is what could not be done."""
        if isinstance(error, ClientError):
            why, next_step = self._answered(error)
        elif isinstance(error, _CREDENTIALS):
            why, next_step = f"no usable credentials: {error}", _RENEW
        elif isinstance(error, SSLError):
            why, next_step = (
                f"{self.endpoint} cannot be trusted: {error}",
                "check AWS_CA_BUNDLE and the endpoint's name",
            )
        elif isinstance(error, (ConnectionError, HTTPClientError)):
            why = f"{self.endpoint} does not answer: {error}"
            next_step = "check s3.endpoint_url, s3.region and the network, then try again"
        else:
            why, next_step = str(error), "check `store` and `s3` in tables.yaml"
        return (StoreDenied if _denied(error) else StoreError)(what, why, next_step)

    def _answered(self, error: ClientError) -> tuple[str, str]:
        code = error.response.get("Error", {}).get("Code", "")
        message = error.response.get("Error", {}).get("Message", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        answer = f"{code}: {message}" if code else f"HTTP {status} without a reason"
        if error.operation_name == "AssumeRole":
            return f"the role cannot be assumed: {answer}", "check s3.role_arn and the role's trust policy"
        if code in _ANSWERS:
            why, next_step = _ANSWERS[code]
            return why.format(bucket=self.bucket, endpoint=self.endpoint), next_step
        if status in (301, 302, 307):
            why = f"{self.endpoint} sends requests elsewhere (HTTP {status}) and does not say to which region"
            return why, f"{_REGION}, check s3.endpoint_url, and look for a login page in between"
        if code == "500":  # So botocore words what it cannot parse; an error of the store's own has a code.
            return f"{self.endpoint} fails, or answers what is no XML", "try again; look for a proxy in between"
        if status >= 500:
            return f"{self.endpoint} fails ({answer})", "try again; if it lasts, look at the store's own status"
        return f"{self.endpoint} answered {answer}", "run `wmtui doctor`, which asks the store for more"


def _denied(error: BotoCoreError | ClientError | ValueError) -> bool:
    if not isinstance(error, ClientError):
        return isinstance(error, _CREDENTIALS)
    return error.operation_name == "AssumeRole" or error.response.get("Error", {}).get("Code") in _DENIALS
