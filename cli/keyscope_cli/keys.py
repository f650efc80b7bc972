"""`keyscope key` and `keyscope service-account key`: keys through the management API."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from keyscope_cli.confirmation import WHEN_KEYS_FAIL, Yes, confirm
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.help_text import command_group, examples
from keyscope_cli.id_arguments import IdKind, checked_id
from keyscope_cli.options import ManagementOptions, SecretFile, with_options
from keyscope_cli.output import Output
from keyscope_cli.presentation import facts_of, show_list
from keyscope_cli.secret_output import place_of_secret

KEY_MEMBERS = (
    *("id", "displayName", "state", "createdAt", "lastUsedAt", "expiresAt"),
    *("allowedCidrs", "permissions", "integrationId"),
)
"""What a table of keys shows."""
STILL_DISABLED = "The key is disabled. Enable it before you use its new secret."
_IN_EFFECT = f"Requests that use it fail {WHEN_KEYS_FAIL}."
KeyId = Annotated[str, typer.Argument(metavar="KEY_ID", help="The key's ID.")]
KeyName = Annotated[str, typer.Argument(metavar="NAME", help="A name for the key.")]
ExpiresAt = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="When the key expires, such as 2030-01-31T12:00:00Z."),
]
AllowedCidrs = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        metavar="CIDR",
        help="An IP range that may use the key, such as 192.0.2.0/24. Repeat it for more. Without"
        " any, the key works from every address.",
    ),
]
PermissionNames = Annotated[
    list[str] | None,
    typer.Option(
        "--permission",
        metavar="NAME",
        help="A permission of the access map, such as read. Repeat it for more. Without any, the"
        " key reaches everything in its scope.",
    ),
]
NeverExpires = Annotated[bool, typer.Option("--never-expires", help="Remove the expiry.")]
AllowAnywhere = Annotated[
    bool, typer.Option("--allow-anywhere", help="Remove the limit to IP ranges.")
]
AllPermissions = Annotated[
    bool, typer.Option("--all-permissions", help="Remove the limit to permissions.")
]
Overlap = Annotated[
    int,
    typer.Option(
        min=0,
        max=30 * 86_400,
        metavar="SECONDS",
        help="How long the old secret still works. With 0, it stops working at once.",
    ),
]


@dataclass(frozen=True, slots=True)
class KeyCommands:
    """The commands for keys of one kind of owner: their path in the API and the API's shape.

    `name` is what the group of commands is called, and `owner` the kind of the owner's id.
    """

    name: str
    owner: IdKind
    path: str
    name_member: str

    def list_keys(self, options: ManagementOptions, owner_id: str) -> None:
        """List the keys, oldest first."""
        answer = options.client().call("GET", self._path(owner_id))
        show_keys(options.output, [shown_key(key) for key in answer["keys"]])

    def create(
        self,
        options: ManagementOptions,
        owner_id: str,
        name: KeyName,
        expires_at: ExpiresAt = None,
        allow: AllowedCidrs = None,
        permission: PermissionNames = None,
        secret_file: SecretFile = None,
    ) -> None:
        """Create a key and show its secret once."""
        body = {self.name_member: name, **limit_members(expires_at, allow, permission)}
        self._make(options, self._path(owner_id), body, secret_file)

    def rotate(
        self,
        options: ManagementOptions,
        owner_id: str,
        key: KeyId,
        overlap: Overlap = 86_400,
        secret_file: SecretFile = None,
    ) -> None:
        """Replace a key's secret.

        The old secret still works until the overlap ends, a day later by default.
        """
        path = f"{self._path(owner_id, key)}/rotate"
        self._make(options, path, {"overlapSeconds": overlap}, secret_file)

    def end_overlap(
        self, options: ManagementOptions, owner_id: str, key: KeyId, yes: Yes = False
    ) -> None:
        """Stop accepting the old secret of a rotated key."""
        path = self._path(owner_id, key)
        confirm_end_of_overlap(options.output, lambda: self._found(options, path), yes=yes)
        self._show(options, "DELETE", f"{path}/overlap")

    def disable(self, options: ManagementOptions, owner_id: str, key: KeyId) -> None:
        """Reject a key until you enable it again."""
        self._show(options, "PATCH", self._path(owner_id, key), {"disabled": True})

    def enable(self, options: ManagementOptions, owner_id: str, key: KeyId) -> None:
        """Accept a disabled key again."""
        self._show(options, "PATCH", self._path(owner_id, key), {"disabled": False})

    def update(
        self,
        options: ManagementOptions,
        owner_id: str,
        key: KeyId,
        name: Annotated[str | None, typer.Option(metavar="NAME", help="A new name.")] = None,
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
        named: dict[str, object] = {self.name_member: name} if name else {}
        body = changed_members(named, limit_members(expires_at, allow, permission), removed)
        self._show(options, "PATCH", self._path(owner_id, key), body)

    def delete(
        self, options: ManagementOptions, owner_id: str, key: KeyId, yes: Yes = False
    ) -> None:
        """Revoke a key. You cannot undo this."""
        path = self._path(owner_id, key)
        confirm_revocation(options.output, lambda: self._found(options, path), yes=yes)
        options.client().call("DELETE", path)
        report_revocation(options.output, key)

    def typer(self, text: str) -> typer.Typer:
        """Return the commands, ready to add to the program."""
        app = command_group(text)
        owner = f"${self.owner.variable}"
        commands: dict[str, tuple[Callable[..., None], str]] = {
            "list": (self.list_keys, ""),
            "create": (self.create, " Server"),
            "rotate": (self.rotate, " $KEY_ID"),
            "end-overlap": (self.end_overlap, " $KEY_ID"),
            "disable": (self.disable, " $KEY_ID"),
            "enable": (self.enable, " $KEY_ID"),
            "update": (self.update, " $KEY_ID --name Web"),
            "delete": (self.delete, " $KEY_ID"),
        }
        for name, (command, rest) in commands.items():
            example = examples(f"{self.name} {name} {owner}{rest}")
            named = with_owner(command, self.owner)
            app.command(name, epilog=example)(with_options(ManagementOptions)(named))
        return app

    def _path(self, owner_id: str, key_id: str | None = None) -> str:
        path = self.path.format(checked_id(self.owner, owner_id))
        return path if key_id is None else f"{path}/{checked_id(IdKind.KEY, key_id)}"

    def _found(self, options: ManagementOptions, path: str) -> Mapping[str, Any]:
        return shown_key(options.client().call("GET", path)["key"])

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
        show_key(options.output, shown_key(options.client().call(method, path, body)["key"]))


class AppKeyCommands(KeyCommands):
    """The commands for an app's keys, which can be bound to one of its integrations."""

    def create(
        self,
        options: ManagementOptions,
        owner_id: str,
        name: KeyName,
        expires_at: ExpiresAt = None,
        allow: AllowedCidrs = None,
        permission: PermissionNames = None,
        secret_file: SecretFile = None,
        integration: Annotated[
            str | None,
            typer.Option(
                metavar="INTEGRATION_ID",
                help="Bind the key to this integration of the app; 24 hexadecimal digits.",
            ),
        ] = None,
    ) -> None:
        """Create a key and show its secret once."""
        bound = {} if integration is None else {"integrationId": integration}
        body = {self.name_member: name, **limit_members(expires_at, allow, permission), **bound}
        self._make(options, self._path(owner_id), body, secret_file)


def with_owner(command: Callable[..., None], owner: IdKind) -> Callable[..., None]:
    """Return a command whose argument `owner_id` is named by the kind of its owner."""
    named = Annotated[
        str, typer.Argument(metavar=owner.variable, help=f"The {owner.title[:-3]}'s ID.")
    ]

    def run(*given: Any, **named_options: Any) -> None:  # noqa: ANN401 - whatever the command's options are
        command(*given, **named_options)

    signature = inspect.signature(command, eval_str=True)
    parameters = [
        one.replace(annotation=named) if name == "owner_id" else one
        for name, one in signature.parameters.items()
    ]
    run.__doc__, run.__name__ = command.__doc__, command.__name__
    vars(run)["__signature__"] = signature.replace(parameters=parameters)
    return run


def show_keys(output: Output, keys: Sequence[Mapping[str, Any]]) -> None:
    """Show a list of keys in the v2 shape."""
    show_list(output, "keys", KEY_MEMBERS, keys, "No keys.")


def show_key(output: Output, key: Mapping[str, Any]) -> None:
    """Show a key in the v2 shape."""
    if output.as_json:
        output.json({"key": key})
    else:
        output.facts(facts_of(key))


def confirm_revocation(output: Output, find: Callable[[], Mapping[str, Any]], *, yes: bool) -> None:
    """Ask whether to revoke a key, which `find` returns.

    Raises:
        Failure: the answer is no, or there is no terminal to ask in.
    """

    def warning() -> str:
        key = find()
        used = facts_of(key).get("Last used", "unknown")
        return f"This revokes the key {_named(key)}. Last used: {used}. {_IN_EFFECT}"

    confirm(output, warning, "Revoke the key? This cannot be undone.", yes=yes)


def confirm_end_of_overlap(
    output: Output, find: Callable[[], Mapping[str, Any]], *, yes: bool
) -> None:
    """Ask whether to stop accepting the old secret of a key, which `find` returns.

    Raises:
        Failure: the answer is no, or there is no terminal to ask in.
    """

    def warning() -> str:
        key = find()
        ends = facts_of(key).get("Old secret expires")
        until = f", which would work until {ends}" if ends else ""
        return f"This ends the old secret of the key {_named(key)}{until}. {_IN_EFFECT}"

    confirm(output, warning, "Stop accepting the old secret? This cannot be undone.", yes=yes)


def report_revocation(output: Output, key_id: str) -> None:
    """Show that a key is revoked."""
    if output.as_json:
        output.json({})
    else:
        output.line(f"Key revoked: {key_id}")


def _named(key: Mapping[str, Any]) -> str:
    name = key.get("displayName")
    return f"{name!r} ({key['id']})" if name else str(key["id"])


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
        message = "You cannot both set and remove the same limit."
        raise Failure(ExitStatus.USAGE, message, "Use only one of the two options.")
    members = {**named, **limits, **nulls}
    if not members:
        advice = "To see what you can change, run the command with --help."
        raise Failure(ExitStatus.USAGE, "Nothing to update.", advice)
    return members


def shown_key(key: Mapping[str, Any]) -> dict[str, Any]:
    """Return a key in the v2 shape, from either shape."""
    renamed = {"_id": "id", "name": "displayName"}
    return {renamed.get(name, name): value for name, value in key.items()}


app_keys = AppKeyCommands("key", IdKind.APP, "/v2/apps/{}/keys", "displayName").typer(
    "Manage the keys of an app and of its integrations."
)
service_account_keys = KeyCommands(
    "service-account key", IdKind.SERVICE_ACCOUNT, "/v1.1/serviceaccounts/{}/keys", "name"
).typer("Manage the keys of a service account.")
