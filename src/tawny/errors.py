"""Everything Tawny says no with.

TawnyError
├── RequestError                what a caller of the API asked cannot be done
│   ├── InvalidRequest     400  the request itself is wrong
│   ├── Unauthenticated    401  no credential, or none that is valid
│   ├── Forbidden          403  a valid credential that may not do this
│   ├── NotFound           404  it does not exist, or not for this caller
│   ├── MethodNotAllowed   405
│   ├── Timeout            408  the body came too slowly
│   ├── Conflict           409  it collides with what is there
│   ├── PayloadTooLarge    413
│   ├── UriTooLong         414
│   ├── UnsupportedMedia   415
│   ├── IdempotencyMisuse  422  one idempotency key, two different requests
│   ├── HeadersTooLarge    431
│   ├── TooManyRequests    429
│   ├── ServiceFailed      502  another service did not answer as it should
│   └── Unavailable        503  the database cannot be reached just now
├── DefinitionError             a job type is defined wrongly (raised at import)
├── SettingsError               a setting is wrong, unknown or contradicts another
├── StartError                  this process cannot start, and why
├── Unreachable                 raised by the client: the server did not answer, or not as a Tawny server does
└── RunError                    raised inside handlers
    ├── JobFailed               by the author: this run has failed
    ├── RunCancelled            by Tawny: somebody asked for this run to stop
    │   └── RunTimedOut         by Tawny: this attempt has taken longer than its job type allows
    └── LeaseLost               by Tawny: this attempt may not act any more

`code` is stable and made for programs; the message is one sentence made for people and says what to do. The number is the
HTTP status that the API answers with; rooms never look at it.
"""

from __future__ import annotations

from typing import Any, ClassVar


class TawnyError(Exception):
    """The root of every error that Tawny raises on purpose."""


class RequestError(TawnyError):
    """A request that cannot be granted. The message is safe to show to the caller."""

    status: ClassVar[int]
    default_code: ClassVar[str]

    def __init__(self, message: str, *, code: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.details = details


class InvalidRequest(RequestError):
    status = 400
    default_code = "invalid_request"


class Unauthenticated(RequestError):
    status = 401
    default_code = "unauthenticated"


class Forbidden(RequestError):
    status = 403
    default_code = "forbidden"


class NotFound(RequestError):
    status = 404
    default_code = "not_found"


class MethodNotAllowed(RequestError):
    status = 405
    default_code = "method_not_allowed"


class Timeout(RequestError):
    status = 408
    default_code = "request_timeout"


class Conflict(RequestError):
    status = 409
    default_code = "conflict"


class PayloadTooLarge(RequestError):
    status = 413
    default_code = "payload_too_large"


class UriTooLong(RequestError):
    status = 414
    default_code = "uri_too_long"


class UnsupportedMedia(RequestError):
    status = 415
    default_code = "unsupported_media_type"


class IdempotencyMisuse(RequestError):
    status = 422
    default_code = "idempotency_key_reused"


class TooManyRequests(RequestError):
    status = 429
    default_code = "too_many_requests"


class HeadersTooLarge(RequestError):
    status = 431
    default_code = "headers_too_large"


class ServiceFailed(RequestError):
    status = 502
    default_code = "service_failed"


class Unavailable(RequestError):
    status = 503
    default_code = "unavailable"


class DefinitionError(TawnyError):
    """A job type is defined wrongly. Raised where it is defined, so that a wrong program does not start."""


class SettingsError(TawnyError):
    """A setting is unknown, malformed, or contradicts another one."""


class StartError(TawnyError):
    """This process cannot start; the message says why and what to do."""


class Unreachable(TawnyError):
    """The server did not answer, or not as a Tawny server does. Raised by `tawny.client`."""


class RunError(TawnyError):
    """The root of what is raised inside handlers."""


class JobFailed(RunError):
    """Raise it in a handler to end the run as failed, with a message for the people who watch it.

    `result` (a dict that JSON can hold) is kept with the run. `retry=True` lets the job type's `retries` apply; by default the
    failure is final.
    """

    def __init__(self, message: str, *, result: dict[str, Any] | None = None, retry: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.result = result
        self.retry = retry


class RunCancelled(RunError):
    """Raised by `run.track` and `run.check_cancelled` once somebody has asked for this run to stop."""


class RunTimedOut(RunCancelled):
    """Raised by `run.track` and `run.check_cancelled` once this attempt has taken longer than its job type's `timeout`.

    It is a RunCancelled, so that what tidies up after a cancel tidies up after a timeout as well.
    """


class LeaseLost(RunError):
    """Raised by every `run.*` call once this attempt may not act any more: another worker may have the run already.

    Nothing this attempt writes through Tawny is stored from here on. Let it pass; do not catch it to go on.
    """
