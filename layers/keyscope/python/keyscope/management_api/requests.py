"""Checks on an event before it is routed: the size, type and text of its body."""

import base64
import binascii
import json
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any

from keyscope.errors import Fault, KeyscopeError, bounded_faults
from keyscope.management_api.error_responses import ErrorResponse, error_response
from keyscope.model.strict_json import RepeatedMemberError, read_strict_json

MAX_BODY_BYTES = 100 * 1_024
"""The Sunshine API's limit for a JSON body."""
MAX_VALUES = 2_000
"""Members and list items of a JSON text. More than twice what 4,096 bytes of metadata can
contain."""

Event = Mapping[str, object]


class NotTaken(KeyscopeError):  # noqa: N818 - a state
    """The request is rejected before it is routed."""

    def __init__(self, response: ErrorResponse) -> None:
        """Store the response."""
        super().__init__(response.status.phrase)
        self.response = response


_TOO_LARGE = error_response(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "body_too_large",
    f"The body must be at most {MAX_BODY_BYTES} bytes",
)
_NOT_JSON = error_response(
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "unsupported_media_type",
    "The body must be JSON with the content type application/json",
)
_INVALID = "must be valid JSON"
_NO_OBJECT = "must be an object"
_TOO_MANY_VALUES = f"must not have more than {MAX_VALUES} members and list items in total"
_REPEATED = "must not contain duplicate members"
_NOT_TEXT = ErrorResponse(
    HTTPStatus.BAD_REQUEST, (Fault("bad_request", "", "must be valid UTF-8"),)
)


def checked(event: Event) -> Event:
    """Check an event, and return it in the form that Powertools routes.

    - The body is text, empty if there is none.
    - The content type is missing: Powertools compares it case-sensitively and would accept forms.
    - The path does not contain the base path of a custom domain.

    Raises:
        NotTaken: the body is too large, is not of a JSON type or is not text, or the query repeats
            a parameter.
    """
    if repeated := _repeated_parameters(event):
        raise NotTaken(ErrorResponse(HTTPStatus.BAD_REQUEST, repeated))
    body = event.get("body") or ""
    if not isinstance(body, str):
        raise NotTaken(_NOT_TEXT)
    text = _decoded(body) if event.get("isBase64Encoded") is True else body
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BODY_BYTES:
        raise NotTaken(_TOO_LARGE)
    headers = member(event, "headers")
    if text and not _is_json(headers):
        raise NotTaken(_NOT_JSON)
    untyped = {name: value for name, value in headers.items() if not _is_content_type(name)}
    found = {"path": path_of(event)} if "path" in event else {}
    return {**event, **found, "headers": untyped, "body": text, "isBase64Encoded": False}


def path_of(event: Event) -> object:
    """Return the requested path, without the base path of a custom domain.

    The event's `path` contains the base path, its `resource` does not (REST APIs, "Use API Gateway
    custom domain names").
    """
    path, resource = event.get("path"), event.get("resource")
    if not isinstance(path, str) or not isinstance(resource, str):
        return path
    literal, _, _ = resource.partition("/{")
    return path[max(path.find(literal), 0) :]


def member(event: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Return a member that is an object; empty if there is none."""
    value = event.get(name)
    return value if isinstance(value, Mapping) else {}


def read_json(text: str) -> Any:  # noqa: ANN401 - as `json.loads` has it
    """Read a JSON object or null, as defined by RFC 8259; the error's text says what is wrong.

    Raises:
        json.JSONDecodeError: also for NaN and infinities, excessive nesting, a repeated member, and
            a list, because Powertools would use only the first item. Also for more than
            `MAX_VALUES` members and items, because validation costs much more than parsing.
    """
    try:
        value = read_strict_json(text)
    except RepeatedMemberError:
        raise json.JSONDecodeError(_REPEATED, "", 0) from None
    except ValueError:
        raise json.JSONDecodeError(_INVALID, "", 0) from None
    if value is not None and not isinstance(value, dict):
        raise json.JSONDecodeError(_NO_OBJECT, "", 0)
    if _has_too_many_values(value):
        raise json.JSONDecodeError(_TOO_MANY_VALUES, "", 0)
    return value


def _has_too_many_values(value: object) -> bool:
    """Count level by level, without recursion; stop at the limit."""
    number, containers = 0, [value]
    while containers:
        container = containers.pop()
        items = container.values() if isinstance(container, dict) else container
        if isinstance(items, Collection) and not isinstance(items, str):
            number += len(items)
            if number > MAX_VALUES:
                return True
            containers += [item for item in items if isinstance(item, dict | list)]
    return False


def _repeated_parameters(event: Event) -> tuple[Fault, ...]:
    """Return a fault for each query parameter that has several values."""
    parameters = member(event, "multiValueQueryStringParameters")
    return bounded_faults(
        Fault("bad_request", name, "must not be repeated")
        for name, values in parameters.items()
        if isinstance(values, list) and len(values) > 1
    )


def _decoded(body: str) -> str:
    try:
        return base64.b64decode(body, validate=True).decode()
    except (binascii.Error, ValueError):
        raise NotTaken(_NOT_TEXT) from None


def _is_content_type(name: str) -> bool:
    return name.lower() == "content-type"


def _is_json(headers: Mapping[str, object]) -> bool:
    values = [value for name, value in headers.items() if _is_content_type(name)]
    essence = str(values[0]).partition(";")[0].strip().lower() if values else ""
    return essence in ("", "application/json")
