"""The account, apps and keys of one local run, and the file that lists them."""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

from keyscope.lifecycle.external_ids import ExternalName
from keyscope_local.template.function_loader import LocalFunction
from keyscope_local.tour.event_values import TOKEN_LIFETIME_SECONDS, bearer, placeholders
from keyscope_local.tour.seed import (
    ACCOUNT_EXTERNAL_ID,
    APP_EXTERNAL_ID,
    USER_ID,
    IssuedKey,
    SeededStore,
    fill_account,
    local_provisioning,
)


@dataclass(frozen=True, slots=True)
class Session:
    """What a local run created: one account with one of everything, and another account's app."""

    store: SeededStore
    strangers_app_id: str
    app_user_token: str = field(repr=False)


class ProvisioningRefused(Exception):  # noqa: N818 - a state
    """The provisioning function returned errors; the text contains them."""


def provision(function: LocalFunction, environment: Mapping[str, str]) -> Session:
    """Create two accounts through the provisioning function, and the rest through the operations.

    `environment` is the function's, with the endpoints of the embedded AWS.

    Raises:
        ProvisioningRefused: the function returned errors.
        FunctionFailed: the function raised an exception.
    """
    operations = local_provisioning(environment)
    account_id, account_key = _create_account(
        function, {"displayName": "Example Bakery", "externalId": ACCOUNT_EXTERNAL_ID}
    )
    stranger_id, _ = _create_account(function, {"displayName": "Another account"})
    store = fill_account(operations, account_id, account_key, ExternalName(APP_EXTERNAL_ID))
    ends_at = int(time.time()) + TOKEN_LIFETIME_SECONDS
    claims = {"scope": "appUser", "userId": USER_ID, "exp": ends_at}
    return Session(
        store=store,
        strangers_app_id=operations.create_app(stranger_id, "Not yours").owner_id,
        app_user_token=bearer(store.app_key, claims).removeprefix("Bearer "),
    )


@contextmanager
def session_file(
    path: Path,
    session: Session,
    urls: Sequence[str],
    environment: Mapping[str, str],
    stack: Mapping[str, object],
) -> Iterator[None]:
    """Keep the session in a file that only its owner can read, while the context lasts.

    `urls` are the URLs of the REST API and, if it exists, of the HTTP API. `environment` is for the
    provisioning operations. `stack` is what the command line would read from CloudFormation.
    """
    names = ("rest_api", "http_api")
    write_private_json(
        path,
        {
            **dict(zip(names, urls, strict=False)),
            "user_id": USER_ID,
            "app_user_token": session.app_user_token,
            **asdict(session.store),
            "strangers_app_id": session.strangers_app_id,
            "environment": dict(environment),
            "stack": dict(stack),
            "placeholders": placeholders(session.store),
        },
    )
    try:
        yield
    finally:
        # Its store is gone, so nothing in it works any more.
        path.unlink(missing_ok=True)


def _create_account(function: LocalFunction, members: Mapping[str, str]) -> tuple[str, IssuedKey]:
    request = {"operation": "createAccount", **members}
    answer = cast("Mapping[str, Mapping[str, str]]", function.invoke(request))
    if "errors" in answer:
        raise ProvisioningRefused(json.dumps(answer["errors"]))
    key = IssuedKey(answer["key"]["id"], answer["key"]["secret"])
    return answer["account"]["id"], key


def write_private_json(path: Path, value: object) -> None:
    """Write a JSON file that only its owner can read, even if the file already exists."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        json.dump(value, file, indent=2)
        file.write("\n")
