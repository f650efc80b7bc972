"""From the answer of a route's function to the response for the caller.

The rules are in "Set up Lambda proxy integrations in API Gateway" and "Create AWS Lambda proxy
integrations for HTTP APIs" in the Amazon API Gateway developer guide.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

from keyscope_local.gateway.api_definition import ApiKind
from keyscope_local.gateway.request import CacheUse, GatewayAnswer, Headers
from keyscope_local.gateway.responses import NotAnswered, ResponseType

_STATUS: Final = re.compile(r"[2-5][0-9]{2}")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_JSON: Final = ("content-type", "application/json")


class _Malformed(ValueError):  # noqa: N818 - a state
    """The function's answer is not one of a proxy integration."""


def read_proxy_answer(kind: ApiKind, answer: object, cache: CacheUse) -> GatewayAnswer:
    """Return the response for the caller.

    Raises:
        NotAnswered: the function's answer is not one of a proxy integration.
    """
    if kind is ApiKind.HTTP and not (isinstance(answer, dict) and "statusCode" in answer):
        # In payload format 2.0, an answer without a status is the body itself.
        return GatewayAnswer(200, [_JSON], json.dumps(answer).encode(), cache)
    try:
        members = _mapping(answer)
        headers = _headers(members, kind)
        return GatewayAnswer(_status(members), headers, _body(members, kind), cache)
    except ValueError as error:
        reason = f"the function's response does not fit a proxy integration: {error}"
        raise NotAnswered(ResponseType.INTEGRATION_FAILURE, reason, cache) from None


def _status(members: Mapping[str, object]) -> int:
    status = str(members.get("statusCode"))
    return int(status) if _STATUS.fullmatch(status) else _malformed("statusCode")


def _body(members: Mapping[str, object], kind: ApiKind) -> bytes:
    body = members.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        return _malformed("body")
    # A REST API decodes only its binary media types, which are not supported here.
    if kind is ApiKind.HTTP and members.get("isBase64Encoded"):
        return base64.b64decode(body, validate=True)
    return body.encode()


def _headers(members: Mapping[str, object], kind: ApiKind) -> Headers:
    single = [_header(name, value) for name, value in _mapping(members.get("headers")).items()]
    if kind is ApiKind.HTTP:
        cookies = _sequence(members.get("cookies"))
        return [*single, *(_header("set-cookie", cookie) for cookie in cookies)]
    multiple = [
        _header(name, value)
        for name, values in _mapping(members.get("multiValueHeaders")).items()
        for value in _sequence(values)
    ]
    headers = [*(pair for pair in single if pair not in multiple), *multiple]
    has_type = any(name.lower() == _JSON[0] for name, _ in headers)
    return headers if has_type else [*headers, _JSON]


def _header(name: str, value: object) -> tuple[str, str]:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    is_scalar = isinstance(value, str | int | float)
    if not is_scalar or not _NAME.fullmatch(name) or not _VALUE.fullmatch(text):
        _malformed("headers")
    return name, text


def _mapping(value: object) -> Mapping[str, object]:
    if value is None:
        return {}
    return value if isinstance(value, dict) else _malformed("an object is missing")


def _sequence(value: object) -> Sequence[object]:
    if value is None:
        return []
    return value if isinstance(value, list) else _malformed("a list is missing")


def _malformed(member: str) -> NoReturn:
    raise _Malformed(member)
