"""`keyscope account keys`: the keys of accounts, through the provisioning function."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from keyscope_cli.keys import (
    KEY_COLUMNS,
    STILL_DISABLED,
    AllowAnywhere,
    AllowedCidrs,
    AllPermissions,
    ExpiresAt,
    KeyId,
    NeverExpires,
    Overlap,
    PermissionNames,
    changed_members,
    key_row,
    limit_members,
)
from keyscope_cli.options import SecretFile, TargetOptions, with_options
from keyscope_cli.provisioning import account_id_of, provision
from keyscope_cli.secret_output import place_of_secret

keys = typer.Typer(no_args_is_help=True, help="The keys of an account (act_...).")

AccountId = Annotated[str, typer.Argument(help="The account's id or external id.")]
KeyName = Annotated[str | None, typer.Option("--name", help="What the key is called.")]


@keys.command("list")
@with_options(TargetOptions)
def list_keys(options: TargetOptions, account_id: AccountId) -> None:
    """List an account's keys, the oldest first, revoked ones for 30 days."""
    request = {"operation": "listKeys", **_account(options, account_id)}
    answer = provision(options.target(), request)
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
    members = key_fields(name, expires_at, allow, permission)
    request = {"operation": "createKey", **_account(options, account_id), **members}
    make(options, request, secret_file)


@keys.command("revoke")
@with_options(TargetOptions)
def revoke_key(
    options: TargetOptions,
    account_id: AccountId,
    key: KeyId,
) -> None:
    """Revoke a key of an account; it cannot come back."""
    provision(options.target(), {"operation": "revokeKey", **_key(options, account_id, key)})
    if options.as_json:
        options.output.json({})
    else:
        options.output.line(f"{key} is revoked.")


@keys.command("rotate")
@with_options(TargetOptions)
def rotate(
    options: TargetOptions,
    account_id: AccountId,
    key: KeyId,
    overlap: Overlap = 86_400,
    secret_file: SecretFile = None,
) -> None:
    """Give a key a new secret; the old one works until the overlap ends."""
    request = {
        "operation": "rotateKey",
        **_key(options, account_id, key),
        "overlapSeconds": overlap,
    }
    make(options, request, secret_file)


@keys.command("end-overlap")
@with_options(TargetOptions)
def end_overlap(options: TargetOptions, account_id: AccountId, key: KeyId) -> None:
    """Stop accepting the secret that a key had before its last rotation."""
    _show(options, {"operation": "endOverlap", **_key(options, account_id, key)})


@keys.command("disable")
@with_options(TargetOptions)
def disable(options: TargetOptions, account_id: AccountId, key: KeyId) -> None:
    """Refuse a key until it is enabled again."""
    _show(options, {"operation": "updateKey", **_key(options, account_id, key), "disabled": True})


@keys.command("enable")
@with_options(TargetOptions)
def enable(options: TargetOptions, account_id: AccountId, key: KeyId) -> None:
    """Accept a disabled key again."""
    _show(options, {"operation": "updateKey", **_key(options, account_id, key), "disabled": False})


@keys.command("update")
@with_options(TargetOptions)
def update(
    options: TargetOptions,
    account_id: AccountId,
    key: KeyId,
    name: KeyName = None,
    expires_at: ExpiresAt = None,
    never_expires: NeverExpires = False,
    allow: AllowedCidrs = None,
    allow_anywhere: AllowAnywhere = False,
    permission: PermissionNames = None,
    all_permissions: AllPermissions = False,
) -> None:
    """Rename a key, or change its expiry, networks or permissions."""
    removed = {
        "expiresAt": never_expires,
        "allowedCidrs": allow_anywhere,
        "permissions": all_permissions,
    }
    named = {} if name is None else {"displayName": name}
    members = changed_members(named, limit_members(expires_at, allow, permission), removed)
    _show(options, {"operation": "updateKey", **_key(options, account_id, key), **members})


def make(options: TargetOptions, request: Mapping[str, object], secret_file: Path | None) -> None:
    """Create or rotate a key and show its secret once."""
    target = options.target()
    with place_of_secret(options.output, secret_file) as place:
        answer: dict[str, Any] = dict(provision(target, request))
        key = answer.pop("key")
        place.show(key, answer)
    if key["state"] == "disabled":
        options.output.warn(STILL_DISABLED)


def key_fields(
    name: str | None,
    expires_at: str | None,
    allowed_cidrs: list[str] | None,
    permissions: list[str] | None,
) -> dict[str, object]:
    """Return the members of a request for a new key, those that are given."""
    limits = limit_members(expires_at, allowed_cidrs, permissions)
    return limits if name is None else {"displayName": name, **limits}


def _account(options: TargetOptions, account_id: str) -> dict[str, object]:
    return {"accountId": account_id_of(options.target(), account_id)}


def _key(options: TargetOptions, account_id: str, key_id: str) -> dict[str, object]:
    return {**_account(options, account_id), "keyId": key_id}


def _show(options: TargetOptions, request: Mapping[str, object]) -> None:
    key = provision(options.target(), request)["key"]
    if options.as_json:
        options.output.json({"key": key})
    else:
        options.output.table(KEY_COLUMNS, [key_row(key)])
