"""Replies of a store that refuses, as S3 words them.

To HEAD they have no body, as HTTP demands, so a client learns the status there and not the code.
"""

from dataclasses import dataclass
from http import HTTPStatus
from xml.sax.saxutils import escape

from tests.stores.faults.exchange import Exchange, Reply


@dataclass(frozen=True)
class Status:
    """The store is not asked; the reply is an error in S3's XML."""

    status: int
    code: str
    message: str = "injected"

    def __call__(self, exchange: Exchange) -> None:
        exchange.drain()
        exchange.answer(self._reply(exchange.request.method, exchange.request.path))

    def _reply(self, method: str, path: str) -> Reply:
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{self.code}</Code><Message>{escape(self.message)}</Message>"
            f"<Resource>{escape(path)}</Resource><RequestId>injected</RequestId></Error>"
        ).encode()
        headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
        return Reply(self.status, HTTPStatus(self.status).phrase, headers, [] if method == "HEAD" else [body])


SLOW_DOWN = Status(503, "SlowDown", "Please reduce your request rate.")
INTERNAL_ERROR = Status(500, "InternalError", "We encountered an internal error. Please try again.")
CONDITIONAL_CONFLICT = Status(
    409, "ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting operation."
)
ACCESS_DENIED = Status(403, "AccessDenied", "Access Denied")
UNKNOWN_KEY = Status(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
EXPIRED_TOKEN = Status(400, "ExpiredToken", "The provided token has expired.")  # AWS answers 400 here, not 403
STORAGE_FULL = Status(507, "InsufficientStorage", "There is not enough space left.")
REFUSALS = (
    SLOW_DOWN, INTERNAL_ERROR, CONDITIONAL_CONFLICT, ACCESS_DENIED, UNKNOWN_KEY, EXPIRED_TOKEN, STORAGE_FULL,
)  # fmt: skip
