"""`keyscope account`: accounts and their keys, through the provisioning function."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from keyscope_cli.aws import told_failures
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.keys import (
    KEY_COLUMNS,
    AllowedCidrs,
    ExpiresAt,
    PermissionNames,
    key_row,
    limit_members,
)
from keyscope_cli.options import SecretFile, TargetOptions, with_options
from keyscope_cli.secret_output import place_of_secret
from keyscope_cli.target import Target

app = typer.Typer(
    no_args_is_help=True,
    help="Accounts and their keys. Your AWS credentials invoke the provisioning function.",
)
keys = typer.Typer(no_args_is_help=True, help="The keys of an account (act_...).")
app.add_typer(keys, name="keys")

AccountId = Annotated[str, typer.Argument(help="The account's id, 12 hex characters.")]
KeyName = Annotated[str | None, typer.Option("--name", help="What the key is called.")]


@app.command("create")
@with_options(TargetOptions)
def create(
    options: TargetOptions,
    name: Annotated[str, typer.Argument(help="What the account is called.")],
    key_name: Annotated[str | None, typer.Option(help="What its first key is called.")] = None,
    expires_at: ExpiresAt = None,
    allow: AllowedCidrs = None,
    permission: PermissionNames = None,
    secret_file: SecretFile = None,
) -> None:
    """Create an account with its first key."""
    key = _key_fields(key_name, expires_at, allow, permission)
    request = {"operation": "createAccount", "displayName": name, **({"key": key} if key else {})}
    _make(options, request, secret_file)


@keys.command("list")
@with_options(TargetOptions)
def list_keys(options: TargetOptions, account_id: AccountId) -> None:
    """List an account's keys, the oldest first, revoked ones for 30 days."""
    answer = _provision(options.target(), {"operation": "listKeys", "accountId": account_id})
    if options.as_json:
        options.output.json(answer)
    else:
        options.output.table(KEY_COLUMNS, [key_row(key) for key in answer["keys"]])


@keys.command("create")
@with_options(TargetOptions)
def create_key(
    options: TargetOptions,
    account_id: AccountId,
    name: KeyName = None,
    expires_at: ExpiresAt = None,
    allow: AllowedCidrs = None,
    permission: PermissionNames = None,
    secret_file: SecretFile = None,
) -> None:
    """Create a key of an account."""
    members = _key_fields(name, expires_at, allow, permission)
    request = {"operation": "createKey", "accountId": account_id, **members}
    _make(options, request, secret_file)


@keys.command("revoke")
@with_options(TargetOptions)
def revoke_key(
    options: TargetOptions,
    account_id: AccountId,
    key: Annotated[str, typer.Argument(help="The key's id.")],
) -> None:
    """Revoke a key of an account; it cannot come back."""
    request = {"operation": "revokeKey", "accountId": account_id, "keyId": key}
    _provision(options.target(), request)
    if options.as_json:
        options.output.json({})
    else:
        options.output.line(f"{key} is revoked.")


def _make(options: TargetOptions, request: dict[str, Any], secret_file: Path | None) -> None:
    target = options.target()
    with place_of_secret(options.output, secret_file) as place:
        answer = dict(_provision(target, request))
        place.show(answer.pop("key"), answer)


def _key_fields(
    name: str | None,
    expires_at: str | None,
    allowed_cidrs: list[str] | None,
    permissions: list[str] | None,
) -> dict[str, object]:
    limits = limit_members(expires_at, allowed_cidrs, permissions)
    return limits if name is None else {"displayName": name, **limits}


def _provision(target: Target, request: Mapping[str, object]) -> Mapping[str, Any]:
    """Invoke the provisioning function and return its answer.

    Raises:
        Failure: it cannot be invoked, rejects the request, or fails.
    """
    client = target.aws.client("lambda")
    name = target.provisioning_function()
    with told_failures("Look at the account's keys before you try again: it may have been done."):
        response = client.invoke(FunctionName=name, Payload=json.dumps(request).encode())
        payload = response["Payload"].read()
    if "FunctionError" in response:
        message = "The provisioning function failed; nothing or all of it was done."
        advice = "Look at its log and at the account's keys before you try again."
        raise Failure(ExitStatus.UNAVAILABLE, message, advice)
    answer: Mapping[str, Any] = json.loads(payload)
    if "errors" in answer:
        titles = "; ".join(
            f"{one['field']} {one['title']} [{one['code']}]" for one in answer["errors"]
        )
        raise Failure(ExitStatus.NOT_DONE, f"Request rejected: {titles}")
    return answer
