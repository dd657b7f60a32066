"""Signatures (version 4) of single requests, with the credentials of the environment."""

import os
import re
from typing import Any
from urllib.parse import urlsplit

import botocore.auth  # type: ignore[import-untyped]
import botocore.awsrequest  # type: ignore[import-untyped]
import botocore.credentials  # type: ignore[import-untyped]

SCOPE = re.compile(r"Credential=[^/]+/\d+/(?P<region>[^/]+)/s3/aws4_request")


def presigned(url: str, method: str) -> str:
    """A path with its query, which anybody can ask `url`'s host for with this method, for an hour."""
    request = botocore.awsrequest.AWSRequest(method, url)
    botocore.auth.S3SigV4QueryAuth(_credentials(), "s3", "us-east-1", expires=3600).add_auth(request)
    parts = urlsplit(request.url)
    return f"{parts.path}?{parts.query}"


def signed_anew(method: str, path: str, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers that were changed, with a signature that fits them; as they are if they have none.

    Region and the body's digest are those of the old signature.
    """
    fields = {name.lower(): value for name, value in headers}
    scope = SCOPE.search(fields.get("authorization", ""))
    if scope is None:
        return headers
    unsigned = {name: value for name, value in headers if name.lower() != "authorization"}
    request = botocore.awsrequest.AWSRequest(method, f"http://{fields['host']}{path}", headers=unsigned)
    signer = botocore.auth.S3SigV4Auth(_credentials(), "s3", scope["region"])
    signer.payload = lambda _: fields["x-amz-content-sha256"]  # the body has not changed, and is not here
    signer.add_auth(request)
    return [(str(name), str(value)) for name, value in request.headers.items()]


def _credentials() -> Any:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return botocore.credentials.Credentials(*(os.environ.get(name) for name in names))
