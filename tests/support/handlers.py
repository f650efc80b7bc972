"""The authorizers' handlers over given endpoints, and what comes of an event."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Final
from unittest.mock import patch
from uuid import uuid4

from keyscope.authorize.answer import AuthorizerFailed, Unauthorized
from keyscope.authorize.decision import Outcome
from keyscope.authorize.event import read_http_event, read_rest_event
from keyscope.entry.authorizer import AuthorizerHandler, authorizer_handler
from tests.support.builders import http_event, make_key, rest_request_event
from tests.support.faulty_aws import FaultyAws

_turn = Lock()

REQUIRED: Final = {
    "KEYSCOPE_KEYS_TABLE": "keys",
    "KEYSCOPE_KMS_KEY_ARN": "arn:aws:kms:us-east-1:123456789012:key/1",
}


@dataclass(frozen=True)
class Context:
    """What Lambda tells of an invocation."""

    aws_request_id: str = "invocation-1"


@dataclass(frozen=True)
class Asked:
    """An authorizer to ask by credentials."""

    handler: AuthorizerHandler
    event_of: Callable[[str], Mapping[str, object]]

    def outcome(self, authorization: str) -> Outcome:
        """Tell how the credential is answered; any other error than the two is one of the test."""
        try:
            self.handler(self.event_of(authorization), Context())
        except Unauthorized:
            return Outcome.REFUSED
        except AuthorizerFailed:
            return Outcome.FAILED
        return Outcome.ALLOWED


def rest_authorizer(aws: FaultyAws, **settings: str) -> Asked:
    """Make the REST authorizer; `settings` are environment variables without their prefix."""
    handler = _handler(f"rest_authorizer_{uuid4()}", read_rest_event, aws, settings)
    return Asked(handler, rest_request_event)


def http_authorizer(aws: FaultyAws, **settings: str) -> Asked:
    handler = _handler(f"http_authorizer_{uuid4()}", read_http_event, aws, settings)
    return Asked(handler, http_event)


def _handler(
    name: str, read_event: Callable[..., object], aws: FaultyAws, settings: Mapping[str, str]
) -> AuthorizerHandler:
    """Make a handler with both clients made: they read the endpoints from the environment."""
    variables = {f"KEYSCOPE_{key.upper()}": value for key, value in settings.items()}
    first = make_key()
    aws.hold(first)
    with _turn, patch.dict(os.environ, aws.environment):
        handler = authorizer_handler(name, read_event, {**REQUIRED, **variables})  # type: ignore[arg-type]
        event_of = rest_request_event if read_event is read_rest_event else http_event
        handler(event_of(first.bearer(scope="app")), Context())
    return handler
