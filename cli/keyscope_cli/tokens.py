"""`keyscope token`: sign a JWT with a key."""

import time
from pathlib import Path
from typing import Annotated

import jwt
import typer

from keyscope.authorize.jwt import ALGORITHM, read_jwt
from keyscope.errors import Reason, Refused
from keyscope.model.scopes import Scope, scopes_of_key
from keyscope_cli.credential_input import HeldKey, held_key
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.help_text import examples
from keyscope_cli.output import Output
from keyscope_cli.target import local_target

EXAMPLES = examples(
    "token appUser --user-id customer-7 --credential-file key.json", "token account --local"
)
LOCAL_KEYS = {
    Scope.APP_USER: "app_key",
    Scope.APP: "app_key",
    Scope.INTEGRATION: "integration_key",
    Scope.ACCOUNT: "account_key",
}


def token(
    scope: Annotated[Scope, typer.Argument(help="The scope that the token claims.")],
    user_id: Annotated[
        str | None,
        typer.Option(metavar="USER_ID", help="The user's ID. Required for the scope appUser."),
    ] = None,
    expires_in: Annotated[
        int,
        typer.Option(min=1, metavar="SECONDS", help="How long until the token expires."),
    ] = 3_600,
    not_before: Annotated[
        int | None,
        typer.Option(metavar="SECONDS", help="How long until the token becomes valid."),
    ] = None,
    credential_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The key: a file that --secret-file wrote."),
    ] = None,
    key_id: Annotated[
        str | None,
        typer.Option(
            envvar="KEYSCOPE_KEY_ID",
            metavar="KEY_ID",
            help="The key's ID. Keyscope reads its secret from KEYSCOPE_SECRET or asks for it.",
        ),
    ] = None,
    *,
    local: Annotated[
        bool,
        typer.Option("--local", help="Use a key of the local stack, which `keyscope up` starts."),
    ] = False,
    session: Annotated[
        Path | None,
        typer.Option(
            envvar="KEYSCOPE_SESSION",
            metavar="FILE",
            help="With --local: the session file of the local stack, instead of"
            " ~/.local/state/keyscope/session.json.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Sign a token (JWT) with a key.

    Anyone who has the token can use it until it expires, so keep its lifetime short.
    """
    key = held_key(credential_file, key_id, LOCAL_KEYS[scope])
    if key is None and local:
        found = local_target(session).session
        key = None if found is None else found.key(LOCAL_KEYS[scope])
    if key is None:
        advice = (
            "Use --credential-file FILE, --key-id KEY_ID with the secret in KEYSCOPE_SECRET,"
            " or --local."
        )
        raise Failure(ExitStatus.USAGE, "This command needs a key to sign with.", advice)
    now = int(time.time())
    claims: dict[str, object] = {"scope": scope.value, "exp": now + expires_in}
    if user_id is not None:
        claims["userId"] = user_id
    if not_before is not None:
        claims["nbf"] = now + not_before
    signed = _signed(key, scope, claims)
    output = Output(as_json=as_json)
    if as_json:
        output.json({"token": signed, "keyId": key.key_id, "claims": claims})
    else:
        output.line(signed)


def _signed(key: HeldKey, scope: Scope, claims: dict[str, object]) -> str:
    """Sign the claims, unless the authorizers would refuse them."""
    scopes = scopes_of_key(key.key_id)
    if scope not in scopes:
        given = " or ".join(sorted(scopes))
        message = f"The key {key.key_id} can sign tokens for the scope {given}, not {scope}."
        advice = "Use a key of an owner that has this scope."
        raise Failure(ExitStatus.USAGE, message, advice)
    signed = jwt.encode(claims, key.secret, algorithm=ALGORITHM, headers={"kid": key.key_id})
    try:
        read_jwt(signed)
    except Refused as refused:
        message = f"The authorizer would reject this token: {refused.reason}."
        advice = (
            "Add --user-id USER_ID."
            if refused.reason is Reason.MISSING_USER_ID
            else "docs/reference/decision-log.md explains the reason."
        )
        raise Failure(ExitStatus.USAGE, message, advice) from None
    return signed
