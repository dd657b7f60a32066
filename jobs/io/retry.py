"""Retries of storage operations: which errors are transient, and how an error that remains is explained.

All retries happen here: the libraries below have theirs disabled, but for one that resumes a broken download.
`policy` says for how long.
"""

import errno
import functools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Concatenate, ParamSpec, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from jobs.concurrency import interrupt
from jobs.errors import CredentialsError, RefusedError, StorageError, UserError
from jobs.io.filesystem import refusal
from jobs.io.storage_policy import INTERRUPTED_SECONDS, current_policy
from jobs.io.traffic import store_of
from jobs.telemetry.metrics import STORAGE_RETRIES
from jobs.telemetry.totals import count

P = ParamSpec("P")
R = TypeVar("R")
Operation = Callable[Concatenate[str, P], R]

MAX_WAIT_SECONDS = 10.0  # between two tries
TELL_SECONDS, TELL_AGAIN_SECONDS = 3.0, 60.0  # until somebody who looks on wants to know what is waited for
_told = -TELL_AGAIN_SECONDS  # time at which this process last said so

CREDENTIALS_CODES = {
    "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch",
    "TokenRefreshRequired", "RequestTimeTooSkewed", "AccountProblem", "AuthFailure", "UnrecognizedClientException",
}  # fmt: skip
FULL_CODES = {"507", "InsufficientStorage", "XMinioStorageFull", "QuotaExceeded"}
AMBIGUOUS_CODES = {"400", "403"}  # what a HEAD is answered has no body, so it may be credentials, or a single file
PERMANENT_CODES = CREDENTIALS_CODES | FULL_CODES | AMBIGUOUS_CODES | {
    "AccessDenied", "AllAccessDisabled", "InvalidObjectState", "NoSuchBucket", "NoSuchKey", "InvalidBucketName",
    "PermanentRedirect", "AuthorizationHeaderMalformed", "MethodNotAllowed", "NotImplemented",
    "EntityTooLarge", "KeyTooLongError", "InvalidRequest", "InvalidArgument", "IllegalLocationConstraintException",
    "404", "405", "501",
}  # fmt: skip
FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT}
PERMANENT_ERRNOS = FULL_ERRNOS | {
    errno.EROFS, errno.EFBIG, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.EMFILE,
}  # fmt: skip
# botocore's, by name: it takes long to load, and only who uses S3 needs it
NO_CREDENTIALS_ERROR_NAMES = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound")
PERMANENT_ERROR_NAMES = (*NO_CREDENTIALS_ERROR_NAMES, "ParamValidationError", "InvalidRegionError")
TRANSIENT_LOCAL_ERRNOS = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EBUSY}  # as NFS has them
PERMANENT_ERRORS = (
    FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError,
    UserError, MemoryError,
)  # fmt: skip


def with_retries(operation: Operation[P, R]) -> Operation[P, R]:
    """Retry an operation on a location while its error is transient; then raise an OSError, whatever it was.

    The operation must be idempotent: its first try may have had its effect and lost the reply.
    """

    @functools.wraps(operation)
    def wrapped(location: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
        policy = current_policy()

        def is_out_of_time(state: RetryCallState) -> bool:
            """Asked after each try, since an interrupted run shortens its policy while requests are under way."""
            longest = INTERRUPTED_SECONDS if interrupt.is_requested() else policy.retry_seconds
            return (state.seconds_since_start or 0.0) >= min(longest, policy.retry_seconds)

        tries = Retrying(
            retry=retry_if_exception(lambda error: is_transient(error, is_remote="://" in location)),
            stop=is_out_of_time,
            wait=wait_random_exponential(0.2, max=MAX_WAIT_SECONDS),
            before_sleep=lambda state: _before_retry(operation.__name__, location, state),
            sleep=interrupt.sleep,
            reraise=True,
        )
        try:
            return tries(operation, location, *args, **kwargs)
        except UserError:
            raise
        except Exception as error:  # each library below has classes of its own; callers are promised an OSError
            raise explain(location, error) from error

    return wrapped


def _before_retry(operation: str, location: str, state: RetryCallState) -> None:
    count(STORAGE_RETRIES, operation=operation.lstrip("_"), store=store_of(location))
    _tell(location, state, current_policy().retry_seconds)


def _tell(location: str, state: RetryCallState, retry_seconds: float) -> None:
    """Say on stderr what is waited for, and until when: once for many requests that wait for the same store."""
    global _told
    since, now = state.seconds_since_start or 0.0, time.monotonic()
    if since + state.upcoming_sleep < TELL_SECONDS or now - _told < TELL_AGAIN_SECONDS or state.outcome is None:
        return
    _told = now
    error = state.outcome.exception()
    until = time.strftime("%H:%M:%S", time.localtime(time.time() + retry_seconds - since))
    print(
        f"storage does not answer: {location}: {type(error).__name__}: {str(error)[:200]}; tried again until {until}",
        file=sys.stderr,
        flush=True,
    )


def is_transient(error: BaseException, is_remote: bool) -> bool:
    """Whether the same request may succeed a while later."""
    if not isinstance(error, Exception):
        return False
    code = error_code(error)
    if code is not None and code in PERMANENT_CODES:
        return False
    if isinstance(error, PERMANENT_ERRORS) or type(error).__name__ in PERMANENT_ERROR_NAMES:
        return False
    number = getattr(error, "errno", None)
    if not is_remote:
        return number in TRANSIENT_LOCAL_ERRNOS
    return code is not None or number not in PERMANENT_ERRNOS


def explain(location: str, error: Exception) -> OSError:
    """What to raise in an error's place: it says where, and what to do."""
    code, text = error_code(error), f"{location}: {type(error).__name__}: {error}"
    if code in AMBIGUOUS_CODES and (told := refusal(location)):
        code, text = error_code(told), f"{location}: {_words(told)}"
    if code in CREDENTIALS_CODES or type(error).__name__ in NO_CREDENTIALS_ERROR_NAMES:
        return CredentialsError(f"{text}; give valid credentials and run the same command again")
    if isinstance(error, OSError) and _is_full(error):
        where = location if code or "://" not in location else f"{tempfile.gettempdir()}, for {location}"
        return OSError(error.errno, f"{error.strerror or error}; make room and run the same command again", where)
    if isinstance(error, PermissionError):
        return PermissionError(text)
    if isinstance(error, OSError) and (
        isinstance(error, PERMANENT_ERRORS) or not is_transient(error, "://" in location)
    ):
        if code and not isinstance(error, PERMANENT_ERRORS):
            return RefusedError(error.errno, text)
        return error if location in str(error) or isinstance(error, FileNotFoundError) else OSError(error.errno, text)
    if not is_transient(error, "://" in location):
        return RefusedError(errno.EINVAL, text)
    return StorageError(
        f"{text}; it was tried again for {current_policy().retry_seconds:g} s: run the same command again once storage "
        "works"
    )


def _words(error: BaseException) -> str:
    """What an error says; its code where the store sent no message, as Ceph does for 403."""
    return str(error) if str(error) not in ("", "None") else (error_code(error) or type(error).__name__)


def error_code(error: BaseException | None) -> str | None:
    """The S3 error code behind an exception, such as SlowDown."""
    for cause in _causes(error):
        response = getattr(cause, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code")) or None
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_full(error: OSError) -> bool:
    code = error_code(error)
    return code in FULL_CODES or (code is None and error.errno in FULL_ERRNOS)
