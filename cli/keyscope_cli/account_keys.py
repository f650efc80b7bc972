"""`keyscope account keys`: the keys of accounts, through the provisioning function."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from keyscope_cli.confirmation import Yes
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.help_text import command_group, examples
from keyscope_cli.id_arguments import IdKind, checked_id
from keyscope_cli.keys import (
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
    confirm_end_of_overlap,
    confirm_revocation,
    limit_members,
    report_revocation,
    show_key,
    show_keys,
)
from keyscope_cli.options import SecretFile, TargetOptions, with_options
from keyscope_cli.provisioning import account_id_of, provision
from keyscope_cli.secret_output import place_of_secret

keys = command_group("Manage the keys of an account.")

AccountId = Annotated[
    str, typer.Argument(metavar="ACCOUNT_ID", help="The account's ID or external ID.")
]
KeyName = Annotated[str | None, typer.Option("--name", metavar="NAME", help="A name for the key.")]


def _example(command: str, rest: str = "") -> str:
    return examples(f"account keys {command} $ACCOUNT_ID{rest}")


@keys.command("list", epilog=_example("list"))
@with_options(TargetOptions)
def list_keys(options: TargetOptions, account_id: AccountId) -> None:
    """List an account's keys, oldest first.

    The list includes keys that were revoked in the last 30 days.
    """
    show_keys(options.output, _listed(options, _account(options, account_id)))


@keys.command("create", epilog=_example("create", " --secret-file key.json"))
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
    """Create a key for an account and show its secret once."""
    members = key_fields(name, expires_at, allow, permission)
    request = {"operation": "createKey", **_account(options, account_id), **members}
    make(options, request, secret_file)


@keys.command("revoke", epilog=_example("revoke", " $KEY_ID"))
@with_options(TargetOptions)
def revoke_key(
    options: TargetOptions,
    account_id: AccountId,
    key: KeyId,
    yes: Yes = False,
) -> None:
    """Revoke a key. You cannot undo this."""
    named = checked_id(IdKind.KEY, key)
    confirm_revocation(options.output, lambda: _found(options, account_id, named), yes=yes)
    provision(options.target(), {"operation": "revokeKey", **_key(options, account_id, named)})
    report_revocation(options.output, key)


@keys.command("rotate", epilog=_example("rotate", " $KEY_ID --secret-file key.json"))
@with_options(TargetOptions)
def rotate(
    options: TargetOptions,
    account_id: AccountId,
    key: KeyId,
    overlap: Overlap = 86_400,
    secret_file: SecretFile = None,
) -> None:
    """Replace a key's secret.

    The old secret still works until the overlap ends, a day later by default.
    """
    request = {
        "operation": "rotateKey",
        **_key(options, account_id, key),
        "overlapSeconds": overlap,
    }
    make(options, request, secret_file)


@keys.command("end-overlap", epilog=_example("end-overlap", " $KEY_ID"))
@with_options(TargetOptions)
def end_overlap(
    options: TargetOptions, account_id: AccountId, key: KeyId, yes: Yes = False
) -> None:
    """Stop accepting the old secret of a rotated key."""
    named = checked_id(IdKind.KEY, key)
    confirm_end_of_overlap(options.output, lambda: _found(options, account_id, named), yes=yes)
    _show(options, {"operation": "endOverlap", **_key(options, account_id, key)})


@keys.command("disable", epilog=_example("disable", " $KEY_ID"))
@with_options(TargetOptions)
def disable(options: TargetOptions, account_id: AccountId, key: KeyId) -> None:
    """Reject a key until you enable it again."""
    _show(options, {"operation": "updateKey", **_key(options, account_id, key), "disabled": True})


@keys.command("enable", epilog=_example("enable", " $KEY_ID"))
@with_options(TargetOptions)
def enable(options: TargetOptions, account_id: AccountId, key: KeyId) -> None:
    """Accept a disabled key again."""
    _show(options, {"operation": "updateKey", **_key(options, account_id, key), "disabled": False})


@keys.command("update", epilog=_example("update", " $KEY_ID --allow 192.0.2.0/24"))
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
    """Change a key's name, expiry or limits."""
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
    return {**_account(options, account_id), "keyId": checked_id(IdKind.KEY, key_id)}


def _listed(options: TargetOptions, account: Mapping[str, object]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = provision(
        options.target(), {"operation": "listKeys", **account}
    )["keys"]
    return found


def _found(options: TargetOptions, account_id: str, key_id: str) -> Mapping[str, Any]:
    """Return a key of an account.

    Raises:
        Failure: the account has no such key.
    """
    for key in _listed(options, _account(options, account_id)):
        if key["id"] == key_id:
            return key
    advice = f"`keyscope account keys list {account_id}` shows the account's keys."
    raise Failure(ExitStatus.NOT_DONE, f"The account has no key {key_id}.", advice)


def _show(options: TargetOptions, request: Mapping[str, object]) -> None:
    show_key(options.output, provision(options.target(), request)["key"])
