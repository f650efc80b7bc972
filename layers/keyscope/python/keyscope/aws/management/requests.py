"""What of an event is checked before it is routed: the size, type and text of its body."""

import base64
import binascii
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NoReturn

from keyscope.aws.management.faults import Refusal, refusal
from keyscope.errors import Fault, KeyscopeError

MAX_BODY_BYTES = 100 * 1_024
"""The Sunshine API's limit for a JSON body."""

Event = Mapping[str, object]


class NotTaken(KeyscopeError):  # noqa: N818 - a state
    """The request is refused before it is routed."""

    def __init__(self, refused: Refusal) -> None:
        """Carry how it is answered."""
        super().__init__(refused.status.phrase)
        self.refused = refused


_TOO_LARGE = refusal(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "body_too_large",
    f"The body must take no more than {MAX_BODY_BYTES} bytes",
)
_NOT_JSON = refusal(
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "unsupported_media_type",
    "The body must be JSON, with the content type application/json",
)
_NOT_TEXT = Refusal(HTTPStatus.BAD_REQUEST, (Fault("bad_request", "", "must be valid UTF-8"),))


def checked(event: Event) -> Event:
    """Return the event with its body as text, empty where there is none.

    Raises:
        NotTaken: the body is too large, not JSON by its type, or not text.
    """
    body = event.get("body") or ""
    if not isinstance(body, str):
        raise NotTaken(_NOT_TEXT)
    text = _decoded(body) if event.get("isBase64Encoded") is True else body
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BODY_BYTES:
        raise NotTaken(_TOO_LARGE)
    if text and not _is_json(event):
        raise NotTaken(_NOT_JSON)
    return {**event, "body": text, "isBase64Encoded": False}


def read_json(text: str) -> Any:  # noqa: ANN401 - as `json.loads` has it
    """Read JSON as RFC 8259 has it.

    Raises:
        json.JSONDecodeError: also for numbers that are none, and for what is nested too deep.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise json.JSONDecodeError(type(error).__name__, "", 0) from None


def _decoded(body: str) -> str:
    try:
        return base64.b64decode(body, validate=True).decode()
    except (binascii.Error, ValueError):
        raise NotTaken(_NOT_TEXT) from None


def _is_json(event: Event) -> bool:
    headers = event.get("headers")
    named = headers if isinstance(headers, Mapping) else {}
    values = [value for name, value in named.items() if str(name).lower() == "content-type"]
    essence = str(values[0]).partition(";")[0].strip().lower() if values else ""
    return essence in ("", "application/json")


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is no JSON number"
    raise ValueError(message)
