"""Reads responses of AWS's JSON protocols strictly: any other response counts as an outage.

https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
"""

import json
from base64 import b64decode
from http import HTTPStatus
from typing import Any
from zlib import crc32

from keyscope.aws.calls import ServiceError, UnreadableAnswer
from keyscope.aws.lean.connection import Answer

_MAX_CODE_LENGTH = 64


def members_of(answer: Answer) -> dict[str, Any]:
    """Return the members of a successful response, with binary attributes as bytes.

    Raises:
        ServiceError: the response is an error.
        UnreadableAnswer: it reports success, and is not a whole JSON object.
    """
    if answer.status != HTTPStatus.OK:
        raise ServiceError(_code_of(answer), answer.status, answer.headers.get("date", ""))
    # DynamoDB sends a checksum ("DynamoDB low-level API").
    checksum = answer.headers.get("x-amz-crc32")
    if checksum is not None and checksum != str(crc32(answer.body)):
        raise UnreadableAnswer
    members = _read(answer.body)
    if not isinstance(members, dict):
        raise UnreadableAnswer
    return members


def item_of(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a `GetItem` response. Only an empty object means that there is no item.

    Raises:
        UnreadableAnswer: the item is not a map from names to typed values.
    """
    if members:
        item = members.get("Item")
        if not isinstance(item, dict) or not all(isinstance(it, dict) for it in item.values()):
            raise UnreadableAnswer
    return members


def plaintext_of(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a `Decrypt` response, with the plaintext as bytes.

    Raises:
        UnreadableAnswer: there is no plaintext in base64.
    """
    plaintext = members.get("Plaintext")
    if not isinstance(plaintext, str):
        raise UnreadableAnswer
    try:
        return {**members, "Plaintext": b64decode(plaintext, validate=True)}
    except ValueError:
        raise UnreadableAnswer from None


def _read(body: bytes) -> object:
    try:
        return json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_no_number)
    except (ValueError, RecursionError):
        # Without the error, whose text quotes the body.
        raise UnreadableAnswer from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise UnreadableAnswer
    # Only a binary attribute is an object with the member `B` alone and a text as its value.
    # Text that is not base64 stays; the reader of the attribute reports it as damaged.
    if len(members) == 1 and isinstance(text := members.get("B"), str):
        try:
            members["B"] = b64decode(text, validate=True)
        except ValueError:
            return members
    return members


def _no_number(_: str) -> None:
    raise UnreadableAnswer


def _code_of(answer: Answer) -> str:
    """Return AWS's code of an error, or the HTTP status. Anyone may have written the body."""
    try:
        members = _read(answer.body)
    except UnreadableAnswer:
        members = None
    code = members.get("__type") if isinstance(members, dict) else None
    code = code.rpartition("#")[2] if isinstance(code, str) else ""
    is_code = code.isascii() and code.isalnum() and len(code) <= _MAX_CODE_LENGTH
    return code if is_code else str(answer.status)
