"""What the functions write to their logs, driven through each of their outcomes."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from io import StringIO
from typing import Any, Final
from unittest.mock import patch

from keyscope.authorize.answer import AuthorizerFailed, Unauthorized
from keyscope.authorize.event import read_http_event, read_rest_event
from keyscope.aws.flush_queue import FlushQueue
from keyscope.entry.authorizer import AuthorizerHandler, authorizer_handler
from keyscope.entry.cache_flush import cache_flush_handler
from keyscope.entry.expiry_sweep import expiry_sweep_handler
from keyscope.entry.key_use import key_use_handler
from keyscope.entry.management import management_handler
from keyscope.entry.provisioning import provisioning_handler
from keyscope.errors import Reason, Unavailable
from keyscope.model.ids import OwnerType
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope
from keyscope.model.secret import new_secret
from keyscope_local.emulators.listening_program import free_ports
from keyscope_local.emulators.tables import DUMMY_CREDENTIALS, REGION
from tests.support.builders import basic, http_event, make_key, rest_request_event, rotated
from tests.support.dynamodb_local import Store
from tests.support.faulty_aws import FaultyAws, failing, faulty_aws, well
from tests.support.handlers import REQUIRED, Context
from tests.support.logs import functions_log_here
from tests.support.management import Caller

Line = dict[str, Any]

THROTTLED: Final = failing("ThrottlingException")
LOGGERS: Final = (
    "provisioning",
    "provisioning-audit",
    "management",
    "management-audit",
    "cache_flush",
    "key_use",
    "expiry_sweep",
)
NO_QUEUE: Final = Unavailable(Reason.FLUSH_QUEUE_UNAVAILABLE, "ThrottlingException")
PAST, FUTURE = int(time.time()) - 60, int(time.time()) + 3_600


def emitted_lines(store: Store) -> list[Line]:
    """Return all lines; the lifecycle functions change the store, with a bus that is out."""
    output = StringIO()
    with redirect_stdout(output), faulty_aws() as aws:
        _decide(aws)
        nowhere = f"http://127.0.0.1:{free_ports(1)[0]}"
        with _environment({**store.environment, "AWS_ENDPOINT_URL_EVENTBRIDGE": nowhere}):
            _change(store)
            _sweep(store)
        with _environment({**DUMMY_CREDENTIALS, "AWS_DEFAULT_REGION": REGION}):
            _flush(nowhere)
            _record_uses()
    return [json.loads(line) for line in output.getvalue().splitlines()]


def _decide(aws: FaultyAws) -> None:
    with _environment(aws.environment):
        # Made with one read, as clients are made from the environment at the first.
        handlers = [
            (authorizer_handler("rest_authorizer", read_rest_event, _SETTINGS), rest_request_event),
            (authorizer_handler("http_authorizer", read_http_event, _SETTINGS), http_event),
        ]
        for handler, event_of in handlers:
            for authorization in _credentials(aws):
                _ask(handler, event_of(authorization))
            _ask(handler, {})
            _suffer(aws, handler, event_of)


_SETTINGS: Final = {**REQUIRED, "KEYSCOPE_KEY_CACHE_SECONDS": "0"}


def _credentials(aws: FaultyAws) -> Iterator[str | None]:
    good, old, older = make_key(), make_key(), make_key()
    ended = [make_key(revoked_at=PAST), make_key(expires_at=PAST)]
    aws.hold(good, *ended, rotated(old, FUTURE), rotated(older, PAST))
    unknown = make_key()
    yield from (None, "Digest x", good.basic(), basic(good.key_id, new_secret(good.key_id)))
    yield from (good.bearer(scope="app"), good.bearer(scope="app"), good.bearer(scope="account"))
    yield from (old.basic(), old.bearer(scope="app"), older.basic(), unknown.basic())
    yield from (key.basic() for key in ended)


def _suffer(aws: FaultyAws, handler: AuthorizerHandler, event_of: Any) -> None:  # noqa: ANN401
    """Ask while DynamoDB and KMS throttle: for a key that was read before, and for others."""
    seen, unseen, unopened = make_key(), make_key(), make_key()
    aws.hold(seen, unseen, unopened)
    _ask(handler, event_of(seen.basic()))
    aws.dynamodb.fault = THROTTLED
    _ask(handler, event_of(seen.basic()))
    _ask(handler, event_of(unseen.basic()))
    aws.dynamodb.fault, aws.kms.fault = well, THROTTLED
    _ask(handler, event_of(unopened.bearer(scope="app")))
    aws.kms.fault = well


def _ask(handler: AuthorizerHandler, event: Mapping[str, object]) -> None:
    with suppress(Unauthorized, AuthorizerFailed):
        handler(event, Context())


def _change(store: Store) -> None:
    settings = {
        "KEYSCOPE_KEYS_TABLE": store.keys_table,
        "KEYSCOPE_DIRECTORY_TABLE": store.directory_table,
        "KEYSCOPE_KMS_KEY_ARN": store.kms_key_arn,
        "KEYSCOPE_USE_TABLE": store.use_table,
        "KEYSCOPE_SEES_ALL_USE": "true",
        "KEYSCOPE_FLUSH_QUEUE_URL": store.flush_queue_url,
    }
    provision, manage = provisioning_handler(settings), management_handler(settings)
    with functions_log_here(*LOGGERS), patch.object(FlushQueue, "flush", side_effect=NO_QUEUE):
        created: Any = provision({"operation": "createAccount", "displayName": "Acme"}, Context())
        account_id, key_id = created["account"]["id"], created["key"]["id"]
        account = Principal(Scope.ACCOUNT, key_id, OwnerType.ACCOUNT, account_id)
        caller = Caller(manage, account)
        app = caller.call("POST", "/v2/apps", {"displayName": "Shop"}).json["app"]
        caller.call("DELETE", f"/v2/apps/{app['id']}")
        provision({"operation": "revokeKey", "accountId": account_id, "keyId": key_id}, Context())


def _sweep(store: Store) -> None:
    settings = {
        "KEYSCOPE_KEYS_TABLE": store.keys_table,
        "KEYSCOPE_EXPIRY_WARNINGS_TABLE": store.expiry_warnings_table,
    }
    with functions_log_here(*LOGGERS):
        expiry_sweep_handler(settings)({}, Context())


def _flush(control_plane: str) -> None:
    settings = {"KEYSCOPE_REST_API_ID": "a1", "KEYSCOPE_STAGE_NAME": "prod"}
    with _environment({"AWS_ENDPOINT_URL_API_GATEWAY": control_plane}):
        handler = cache_flush_handler(settings)
        with functions_log_here(*LOGGERS), suppress(Unavailable):
            handler({}, Context())


def _record_uses() -> None:
    handler = key_use_handler({"KEYSCOPE_USE_TABLE": "uses"})
    with functions_log_here(*LOGGERS):
        handler({"awslogs": "no batch"}, Context())


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    with patch.dict(os.environ, variables):
        yield
