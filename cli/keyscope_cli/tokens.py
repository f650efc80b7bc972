"""`keyscope token`: sign a JWT with a key."""

import time
from pathlib import Path
from typing import Annotated

import jwt
import typer

from keyscope.authorize.jwt import ALGORITHM, read_jwt
from keyscope.errors import Refused
from keyscope.model.scopes import Scope, scopes_of_key
from keyscope_cli.credential_input import HeldKey, held_key
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.output import Output
from keyscope_cli.target import local_target

LOCAL_KEYS = {
    Scope.APP_USER: "app_key",
    Scope.APP: "app_key",
    Scope.INTEGRATION: "integration_key",
    Scope.ACCOUNT: "account_key",
}


def token(
    scope: Annotated[Scope, typer.Argument(help="What the token claims.")],
    user_id: Annotated[str | None, typer.Option(help="The user; appUser needs one.")] = None,
    expires_in: Annotated[
        int, typer.Option(min=1, help="Seconds from now until the token ends.")
    ] = 3_600,
    not_before: Annotated[
        int | None, typer.Option(help="Seconds from now until the token begins.")
    ] = None,
    credential_file: Annotated[
        Path | None, typer.Option(help="A file with the key, as --secret-file writes it.")
    ] = None,
    key_id: Annotated[
        str | None,
        typer.Option(
            envvar="KEYSCOPE_KEY_ID",
            help="The key's id; its secret comes from KEYSCOPE_SECRET or a prompt.",
        ),
    ] = None,
    *,
    local: Annotated[
        bool, typer.Option("--local", help="A key of the stack that `make run` serves.")
    ] = False,
    session: Annotated[
        Path | None,
        typer.Option(envvar="KEYSCOPE_SESSION", help="With --local: the run's session file."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with JSON.")] = False,
) -> None:
    """Sign a token. Whoever has it may use it until it ends, so give it a short life."""
    key = held_key(credential_file, key_id)
    if key is None and local:
        found = local_target(session).session
        key = None if found is None else found.key(LOCAL_KEYS[scope])
    if key is None:
        advice = "Give --credential-file FILE, --key-id ID, or --local."
        raise Failure(ExitStatus.USAGE, "No key to sign with is named.", advice)
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
        given = " and ".join(sorted(scopes))
        message = f"A key {key.key_id[:4]}... gives {given}, not {scope}."
        raise Failure(ExitStatus.USAGE, message, "Use a key of another owner.")
    signed = jwt.encode(claims, key.secret, algorithm=ALGORITHM, headers={"kid": key.key_id})
    try:
        read_jwt(signed)
    except Refused as refused:
        message = f"An authorizer would refuse such a token: {refused.reason}."
        advice = "docs/reference/decision-log.md tells what the reason means."
        raise Failure(ExitStatus.USAGE, message, advice) from None
    return signed
