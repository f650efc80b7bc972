r"""The sample events in `events/`: the function of each, and its expected result.

`python -m keyscope_local.tour.events --output .local/events` writes copies that are filled in for
the store of a running `keyscope up`, and next to them `environment.json`, which tells a function
how to reach the store. With Docker, `sam local invoke` reads both:

    sam build
    sam local invoke RestAuthorizerFunction -e .local/events/rest_request_basic_app.json \
        --docker-network host --debug-port 5890 \
        --container-env-vars .local/events/environment.json

The debug port is necessary because sam local passes variables that the template does not name, such
as the endpoint, only in debugging sessions; nothing waits for a debugger. Without Docker, use `make
invoke`, which needs no running store. The copies contain working credentials of that store.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keyscope.errors import Reason, Unavailable
from keyscope.model.scopes import Scope
from keyscope_local.project import ROOT
from keyscope_local.tour.event_values import fill
from keyscope_local.tour.seed import local_provisioning, seed
from keyscope_local.tour.session import write_private_json
from keyscope_local.tour.state_folder import SESSION_FILE_NAME, state_folder

EVENTS_FOLDER: Final = ROOT / "events"
_NEEDED: Final = {
    "AWS_ENDPOINT_URL",
    "KEYSCOPE_DIRECTORY_TABLE",
    "KEYSCOPE_KEYS_TABLE",
    "KEYSCOPE_KMS_KEY_ARN",
}
"""What filling the events needs to know of a run."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """The authorizer returns a policy for a principal of this scope."""

    scope: Scope


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """The authorizer raises `Unauthorized`, for which API Gateway returns 401.

    `reason` is the code in the function's log.
    """

    reason: Reason


@dataclass(frozen=True, slots=True)
class Answered:
    """The provisioning function returns an object with these members."""

    members: frozenset[str]


@dataclass(frozen=True, slots=True)
class Invalid:
    """The provisioning function returns errors that name these members of the request."""

    fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class Responded:
    """The management function returns an HTTP response of this status."""

    status: int


@dataclass(frozen=True, slots=True)
class SampleEvent:
    """One file in `events/`."""

    file_name: str
    function: str
    expected: Allowed | Unauthorized | Answered | Invalid | Responded

    @property
    def path(self) -> Path:
        """The path of the committed event."""
        return EVENTS_FOLDER / self.file_name


_ALLOWED = {
    "basic_app": Scope.APP,
    "basic_account": Scope.ACCOUNT,
    "basic_service_account": Scope.ACCOUNT,
    "secret_app": Scope.APP,
    "jwt_app_user": Scope.APP_USER,
    "jwt_app": Scope.APP,
    "jwt_account": Scope.ACCOUNT,
    "jwt_service_account": Scope.ACCOUNT,
}
_ALLOWED_BY_REST_REQUEST = {
    **_ALLOWED,
    "basic_integration": Scope.INTEGRATION,
    "jwt_integration": Scope.INTEGRATION,
}
_REFUSED_EVERYWHERE = {
    "basic_wrong_secret": Reason.WRONG_SECRET,
    "jwt_expired_token": Reason.EXPIRED_TOKEN,
    "jwt_wrong_scope": Reason.SCOPE_NOT_OF_OWNER,
}
_REFUSED_BY_REST_REQUEST = {
    **_REFUSED_EVERYWHERE,
    "no_credential": Reason.NO_CREDENTIAL,
    "two_credentials": Reason.AMBIGUOUS_CREDENTIAL,
    "digest_unsupported_scheme": Reason.UNSUPPORTED_SCHEME,
    "basic_malformed": Reason.MALFORMED_BASIC,
    "basic_mistyped_secret": Reason.MISTYPED_SECRET,
    "basic_secret_of_another_key": Reason.SECRET_OF_ANOTHER_KEY,
    "secret_mistyped": Reason.MISTYPED_SECRET,
    "basic_unknown_key": Reason.UNKNOWN_KEY,
    "basic_revoked_key": Reason.REVOKED_KEY,
    "basic_expired_key": Reason.EXPIRED_KEY,
    "basic_wrong_address": Reason.SOURCE_ADDRESS_NOT_ALLOWED,
    "jwt_not_yet_valid": Reason.TOKEN_NOT_YET_VALID,
    "jwt_wrong_signature": Reason.WRONG_SIGNATURE,
    "jwt_unsigned": Reason.UNSUPPORTED_ALGORITHM,
    "jwt_no_user_id": Reason.MISSING_USER_ID,
    "jwt_unknown_key": Reason.UNKNOWN_KEY,
}
_REFUSED_BY_REST_TOKEN = {
    **_REFUSED_EVERYWHERE,
    "basic_unknown_key": Reason.UNKNOWN_KEY,
    # A TOKEN event does not contain the caller's address.
    "basic_unknown_address": Reason.SOURCE_ADDRESS_UNKNOWN,
}
_REFUSED_BY_WEBSOCKET = {
    **_REFUSED_EVERYWHERE,
    # The packaged access map opens WebSockets to the other scopes.
    "basic_integration": Reason.WEBSOCKET_NOT_OF_SCOPE,
    **{f"query_{case}": reason for case, reason in _REFUSED_EVERYWHERE.items()},
    "no_credential": Reason.NO_CREDENTIAL,
    "two_credentials": Reason.AMBIGUOUS_CREDENTIAL,
}
_REFUSED_BY_HTTP = {
    **_REFUSED_EVERYWHERE,
    "no_credential": Reason.NO_CREDENTIAL,
    "basic_unknown_key": Reason.UNKNOWN_KEY,
    "basic_wrong_address": Reason.SOURCE_ADDRESS_NOT_ALLOWED,
}
_PROVISIONING: Mapping[str, Answered | Invalid] = {
    "create_account": Answered(frozenset({"account", "key"})),
    "create_app": Answered(frozenset({"app", "key"})),
    "create_app_key": Answered(frozenset({"key"})),
    "create_key": Answered(frozenset({"key"})),
    "list_keys": Answered(frozenset({"keys"})),
    "revoke_key": Answered(frozenset()),
    "set_usage_identifier_key": Answered(frozenset({"key"})),
    "invalid": Invalid(
        frozenset({"displayName", "key.expiresAt", "key.allowedCidrs[0]", "key.allowedCidrs[1]"})
    ),
}
_MANAGEMENT = {
    "create_app": Responded(201),
    "list_apps": Responded(200),
    "update_app": Responded(200),
    "delete_app": Responded(200),
    "create_key": Responded(201),
    "create_integration_key": Responded(201),
    "rotate_key": Responded(200),
    "disable_key": Responded(200),
    "create_service_account": Responded(201),
    "invalid": Responded(400),
    "not_yours": Responded(404),
    "no_context": Responded(500),
}


def _authorizer_events(
    event_type: str, function: str, allowed: Mapping[str, Scope], refused: Mapping[str, Reason]
) -> Iterator[SampleEvent]:
    for case, scope in allowed.items():
        yield SampleEvent(f"{event_type}_{case}.json", function, Allowed(scope))
    for case, reason in refused.items():
        yield SampleEvent(f"{event_type}_{case}.json", function, Unauthorized(reason))


_BY_QUERY = {f"query_{case}": scope for case, scope in _ALLOWED.items()}
_REST = "RestAuthorizerFunction"

EVENTS: Final[Sequence[SampleEvent]] = (
    *_authorizer_events("rest_request", _REST, _ALLOWED_BY_REST_REQUEST, _REFUSED_BY_REST_REQUEST),
    *_authorizer_events("rest_token", _REST, _ALLOWED, _REFUSED_BY_REST_TOKEN),
    *_authorizer_events("websocket", _REST, {**_ALLOWED, **_BY_QUERY}, _REFUSED_BY_WEBSOCKET),
    *_authorizer_events("http", "HttpAuthorizerFunction", _ALLOWED, _REFUSED_BY_HTTP),
    *(
        SampleEvent(f"provisioning_{case}.json", "ProvisioningFunction", expected)
        for case, expected in _PROVISIONING.items()
    ),
    *(
        SampleEvent(f"management_{case}.json", "ManagementFunction", expected)
        for case, expected in _MANAGEMENT.items()
    ),
)


def write_filled_events(environment: Mapping[str, str], output: Path) -> int:
    """Seed a running local store and write every event, filled in for it; return their number.

    Only their owner can read the files, because they contain working credentials of that store.
    """
    store = seed(local_provisioning(environment))
    output.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private_json(output / "environment.json", dict(environment))
    for sample in EVENTS:
        write_private_json(
            output / sample.file_name, fill(json.loads(sample.path.read_text()), store)
        )
    return len(EVENTS)


class _NoSession(Exception):  # noqa: N818 - a state
    """There is no session file of a run; the text says what to do."""


def _environment_of(session: Path) -> Mapping[str, str]:
    try:
        members: object = json.loads(session.read_text("utf-8"))
    except OSError as error:
        message = f"{session} cannot be read ({error.strerror}). Start `keyscope up` first."
        raise _NoSession(message) from None
    except ValueError:
        members = None
    match members:
        case {"environment": dict(environment)} if environment.keys() >= _NEEDED:
            return {str(name): str(value) for name, value in environment.items()}
        case _:
            message = (
                f"{session} is not a session file of `keyscope up`. Start `keyscope up` first."
            )
            raise _NoSession(message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the filled-in events; return 2 if no run exists to fill them in for."""
    parser = argparse.ArgumentParser(
        prog="python -m keyscope_local.tour.events",
        description="Write the sample events with the credentials of a running `keyscope up`.",
    )
    parser.add_argument("--output", type=Path, required=True, help="the folder to write to")
    parser.add_argument(
        "--session",
        type=Path,
        default=state_folder(os.environ) / SESSION_FILE_NAME,
        help="the session file of the run (%(default)s)",
    )
    options = parser.parse_args(arguments)
    try:
        environment = _environment_of(options.session)
        count = write_filled_events(environment, options.output)
    except _NoSession as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except Unavailable:
        sys.stderr.write(
            f"The run that wrote {options.session} has ended. Start `keyscope up` again.\n"
        )
        return 2
    sys.stdout.write(f"{count} events and environment.json are in {options.output}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
