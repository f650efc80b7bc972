"""`keyscope key` and `keyscope service-account key`: keys through the management API."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.options import ManagementOptions, SecretFile, with_options
from keyscope_cli.secret_output import place_of_secret

KEY_COLUMNS = (
    *("id", "name", "state", "created", "last used", "expires"),
    *("allowed from", "permissions", "integration"),
)
STILL_DISABLED = "The key is disabled. Enable it before you use its new secret."
OwnerId = Annotated[str, typer.Argument(help="The id of the key's owner.")]
KeyId = Annotated[str, typer.Argument(help="The key's id.")]
KeyName = Annotated[str, typer.Argument(help="What the key is called.")]
ExpiresAt = Annotated[
    str | None, typer.Option(help="When the key ends, as in 2030-01-31T12:00:00Z.")
]
AllowedCidrs = Annotated[
    list[str] | None,
    typer.Option("--allow", help="A network that the key works from (repeatable); else anywhere."),
]
PermissionNames = Annotated[
    list[str] | None,
    typer.Option(
        "--permission",
        help="A permission of the access map, such as read (repeatable); without any, the key"
        " reaches everything in its scope.",
    ),
]
NeverExpires = Annotated[bool, typer.Option("--never-expires", help="Remove the expiry.")]
AllowAnywhere = Annotated[
    bool, typer.Option("--allow-anywhere", help="Remove the limit to networks.")
]
AllPermissions = Annotated[
    bool, typer.Option("--all-permissions", help="Remove the limit to permissions.")
]
Overlap = Annotated[
    int,
    typer.Option(min=0, max=30 * 86_400, help="Seconds that the old secret is still accepted."),
]


@dataclass(frozen=True, slots=True)
class KeyCommands:
    """The commands for keys of one kind of owner: their path in the API and the API's shape."""

    path: str
    name_member: str

    def list_keys(self, options: ManagementOptions, owner_id: OwnerId) -> None:
        """List the keys, the oldest first."""
        answer = options.client().call("GET", self._path(owner_id))
        keys = [shown_key(key) for key in answer["keys"]]
        if options.as_json:
            options.output.json({"keys": keys})
        else:
            options.output.table(KEY_COLUMNS, [key_row(key) for key in keys])

    def create(
        self,
        options: ManagementOptions,
        owner_id: OwnerId,
        name: KeyName,
        expires_at: ExpiresAt = None,
        allow: AllowedCidrs = None,
        permission: PermissionNames = None,
        secret_file: SecretFile = None,
    ) -> None:
        """Create a key; its secret is shown once."""
        body = {self.name_member: name, **limit_members(expires_at, allow, permission)}
        self._make(options, self._path(owner_id), body, secret_file)

    def rotate(
        self,
        options: ManagementOptions,
        owner_id: OwnerId,
        key: KeyId,
        overlap: Overlap = 86_400,
        secret_file: SecretFile = None,
    ) -> None:
        """Give a key a new secret; the old one is accepted for the overlap."""
        path = f"{self._path(owner_id, key)}/rotate"
        self._make(options, path, {"overlapSeconds": overlap}, secret_file)

    def end_overlap(self, options: ManagementOptions, owner_id: OwnerId, key: KeyId) -> None:
        """Stop accepting the secret that the key had before its last rotation."""
        self._show(options, "DELETE", f"{self._path(owner_id, key)}/overlap")

    def disable(self, options: ManagementOptions, owner_id: OwnerId, key: KeyId) -> None:
        """Refuse a key until it is enabled again."""
        self._show(options, "PATCH", self._path(owner_id, key), {"disabled": True})

    def enable(self, options: ManagementOptions, owner_id: OwnerId, key: KeyId) -> None:
        """Accept a disabled key again."""
        self._show(options, "PATCH", self._path(owner_id, key), {"disabled": False})

    def update(
        self,
        options: ManagementOptions,
        owner_id: OwnerId,
        key: KeyId,
        name: Annotated[str | None, typer.Option(help="A new name.")] = None,
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
        named: dict[str, object] = {self.name_member: name} if name else {}
        body = changed_members(named, limit_members(expires_at, allow, permission), removed)
        self._show(options, "PATCH", self._path(owner_id, key), body)

    def delete(self, options: ManagementOptions, owner_id: OwnerId, key: KeyId) -> None:
        """Revoke a key; it cannot come back."""
        options.client().call("DELETE", self._path(owner_id, key))
        if options.as_json:
            options.output.json({})
        else:
            options.output.line(f"{key} is revoked.")

    def typer(self, text: str) -> typer.Typer:
        """Return the commands, ready to add to the program."""
        app = typer.Typer(no_args_is_help=True, help=text)
        commands: dict[str, Callable[..., None]] = {
            "list": self.list_keys,
            "create": self.create,
            "rotate": self.rotate,
            "end-overlap": self.end_overlap,
            "disable": self.disable,
            "enable": self.enable,
            "update": self.update,
            "delete": self.delete,
        }
        for name, command in commands.items():
            app.command(name)(with_options(ManagementOptions)(command))
        return app

    def _path(self, owner_id: str, key_id: str | None = None) -> str:
        path = self.path.format(segment(owner_id))
        return path if key_id is None else f"{path}/{segment(key_id)}"

    def _make(
        self,
        options: ManagementOptions,
        path: str,
        body: Mapping[str, object],
        secret_file: Path | None,
    ) -> None:
        client = options.client()
        with place_of_secret(options.output, secret_file) as place:
            key = shown_key(client.call("POST", path, body)["key"])
            place.show(key, {})
        if key["state"] == "disabled":
            options.output.warn(STILL_DISABLED)

    def _show(
        self,
        options: ManagementOptions,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
    ) -> None:
        key = shown_key(options.client().call(method, path, body)["key"])
        if options.as_json:
            options.output.json({"key": key})
        else:
            options.output.table(KEY_COLUMNS, [key_row(key)])


class AppKeyCommands(KeyCommands):
    """The commands for an app's keys, which can be bound to one of its integrations."""

    def create(
        self,
        options: ManagementOptions,
        owner_id: OwnerId,
        name: KeyName,
        expires_at: ExpiresAt = None,
        allow: AllowedCidrs = None,
        permission: PermissionNames = None,
        secret_file: SecretFile = None,
        integration: Annotated[
            str | None,
            typer.Option(help="The id of the integration to bind the key to, 24 hex characters."),
        ] = None,
    ) -> None:
        """Create a key; its secret is shown once."""
        bound = {} if integration is None else {"integrationId": integration}
        body = {self.name_member: name, **limit_members(expires_at, allow, permission), **bound}
        self._make(options, self._path(owner_id), body, secret_file)


def segment(text: str) -> str:
    """Return an id as one segment of a path.

    Raises:
        Failure: it contains a character that would make it more than one segment.
    """
    if not text.replace("_", "").isalnum() or not text.isascii():
        raise Failure(ExitStatus.USAGE, f"{text!r} is no id.", "Ids are hex characters.")
    return text


def limit_members(
    expires_at: str | None, allowed_cidrs: list[str] | None, permissions: list[str] | None
) -> dict[str, object]:
    """Return the members of a request that set a key's limits, those that are given."""
    members = {
        "expiresAt": expires_at,
        "allowedCidrs": allowed_cidrs or None,
        "permissions": permissions or None,
    }
    return {member: value for member, value in members.items() if value is not None}


def changed_members(
    named: Mapping[str, object], limits: Mapping[str, object], removed: Mapping[str, bool]
) -> dict[str, object]:
    """Return the members of a request that changes a key: a null for each limit to remove.

    Raises:
        Failure: a limit is both set and removed, or nothing is to be changed.
    """
    nulls = {member: None for member, is_removed in removed.items() if is_removed}
    if limits.keys() & nulls.keys():
        raise Failure(ExitStatus.USAGE, "A limit is both set and removed; use one option.")
    members = {**named, **limits, **nulls}
    if not members:
        advice = "Add `--help` to the command for a list of what can be changed."
        raise Failure(ExitStatus.USAGE, "Nothing to update.", advice)
    return members


def shown_key(key: Mapping[str, Any]) -> dict[str, Any]:
    """Return a key in the v2 shape, from either shape."""
    renamed = {"_id": "id", "name": "displayName"}
    return {renamed.get(name, name): value for name, value in key.items()}


def key_row(key: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a key's row under `KEY_COLUMNS`."""
    return (
        key["id"],
        key.get("displayName", ""),
        key["state"],
        key["createdAt"],
        # Null if the key was never used, absent if that is not known.
        (key["lastUsedAt"] or "Never") if "lastUsedAt" in key else "",
        key.get("expiresAt", ""),
        ", ".join(key.get("allowedCidrs", [])),
        ", ".join(key.get("permissions", [])),
        key.get("integrationId", ""),
    )


app_keys = AppKeyCommands("/v2/apps/{}/keys", "displayName").typer(
    "The keys of an app (app_...), and of its integrations (int_...)."
)
service_account_keys = KeyCommands("/v1.1/serviceaccounts/{}/keys", "name").typer(
    "The keys of a service account (svc_...)."
)
