"""The options that many commands share, passed to a command as one value.

What calls AWS and the management API is imported when a command needs it, so that a shell's
completion does not wait for it.
"""

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from keyscope_cli.credential_input import HeldKey, held_key
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.output import Output

if TYPE_CHECKING:
    from keyscope_cli.management_client import ManagementClient
    from keyscope_cli.target import Target

STACK_VARIABLE = "KEYSCOPE_STACK"
URL_VARIABLE = "KEYSCOPE_URL"

SecretFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Save the key's ID and secret to this new file, readable only by you, instead of"
        " showing the secret.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class TargetOptions:
    """Which Keyscope to use, and how to write the result."""

    stack: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Use the deployed stack of this name.  [env var: {STACK_VARIABLE}]",
        ),
    ] = None
    local: Annotated[
        bool, typer.Option("--local", help="Use the local stack, which `keyscope up` starts.")
    ] = False
    session: Annotated[
        Path | None,
        typer.Option(
            envvar="KEYSCOPE_SESSION",
            metavar="FILE",
            help="With --local: the session file of the local stack, instead of"
            " ~/.local/state/keyscope/session.json.",
        ),
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False

    @property
    def output(self) -> Output:
        """The output of the command."""
        return Output(as_json=self.as_json)

    def target(self) -> "Target":
        """Return the selected Keyscope, without contacting it."""
        from keyscope_cli.aws import Aws
        from keyscope_cli.target import Target, local_target

        if self.local and self.stack is None:
            return local_target(self.session)
        if self.local:
            raise Failure(ExitStatus.USAGE, "Use either --local or --stack, not both.")
        return Target(Aws(), stack_name=self.stack or os.environ.get(STACK_VARIABLE))


@dataclass(frozen=True, kw_only=True)
class ManagementOptions(TargetOptions):
    """The same, with the account-scope key that calls the management API."""

    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Use the management API at this URL, without AWS credentials."
            f"  [env var: {URL_VARIABLE}]",
        ),
    ] = None
    credential_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Your key: a file that --secret-file wrote."),
    ] = None
    key_id: Annotated[
        str | None,
        typer.Option(
            envvar="KEYSCOPE_KEY_ID",
            metavar="KEY_ID",
            help="Your key's ID. Keyscope reads its secret from KEYSCOPE_SECRET or asks for it.",
        ),
    ] = None

    def target(self) -> "Target":
        """Return the selected Keyscope, without contacting it."""
        from keyscope_cli.aws import Aws
        from keyscope_cli.target import Target

        names_a_stack = self.local or self.stack is not None
        if self.url is not None and names_a_stack:
            message = "Use only one of --url, --stack and --local."
            raise Failure(ExitStatus.USAGE, message)
        url = self.url or (None if names_a_stack else os.environ.get(URL_VARIABLE))
        return super().target() if url is None else Target(Aws(), url=url)

    def client(self) -> "ManagementClient":
        """Return a client of the management API, with the caller's key."""
        from keyscope_cli.management_client import ManagementClient

        target = self.target()
        target.check_named()
        key = self.own_key(target)
        session = None if target.session is None else target.session.path
        return ManagementClient(target.management_url(), key, session)

    def own_key(self, target: "Target") -> HeldKey:
        """Return the caller's key, or a local run's own account key if none is named."""
        key = held_key(self.credential_file, self.key_id)
        if key is None and target.session is not None:
            return target.session.key("account_key")
        if key is None:
            advice = (
                "Use --credential-file FILE, or --key-id KEY_ID with the secret in KEYSCOPE_SECRET."
                " The key must belong to an account (act_...) or a service account (svc_...)."
            )
            raise Failure(ExitStatus.USAGE, "This command needs a key of yours.", advice)
        return key


_O = TypeVar("_O", bound=TargetOptions)


def with_options(kind: type[_O]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Pass the options of this kind to a command, as its first parameter."""
    shared = inspect.signature(kind, eval_str=True).parameters.values()
    names = {one.name for one in fields(kind)}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(command, eval_str=True).parameters.values()

        def run(**given: Any) -> None:  # noqa: ANN401 - whatever the command's options are
            options = kind(**{name: given.pop(name) for name in names})
            command(options, **given)

        keyword_only = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *shared)]
        run.__doc__, run.__name__ = command.__doc__, command.__name__
        vars(run)["__signature__"] = inspect.Signature(keyword_only)
        return run

    return decorate
