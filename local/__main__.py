"""`make run`: the whole stack on this machine, a tour of it, and then yours to call.

Settings come from the environment: `PORT` (3000; 0 lets the system choose), `ONCE=1` (end after
the tour, with status 1 if a row was not as expected), `STATE_FOLDER` (`.local`; the session and the
functions' log go there), `PARAMETERS`, the template's parameters, as in
`PARAMETERS="AccessMapRoutes=v2,v1.1 AuthorizerCacheSeconds=0"`, `PLATFORM`, what to assume of API
Gateway (`local/gateway/platform_behaviour.py`), `ATTACH`, the path of another SAM template whose
APIs import this stack's authorizers (they are served after the stack's own), and `ACCESS_MAP`, the
path of an access map file, in place of the parameter AccessMap.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from keyscope.errors import Misconfigured
from local.emulators.embedded_aws import embedded_aws
from local.gateway.api_definition import ApiKind
from local.gateway.control_plane import control_plane_environment
from local.gateway.platform_behaviour import PlatformBehaviour
from local.gateway.platform_settings import WrongBehaviour, read_behaviours
from local.gateway.server import PortTaken
from local.invoke import PROVISIONING_FUNCTION, provisioning_environment
from local.running_stack import (
    LoadedStack,
    ServedStack,
    loaded_stack,
    polled_stack,
    served_stack,
)
from local.stop_signals import interrupt_on_signals, noted_signals
from local.template.access_map_file import with_access_map
from local.template.attached import attach
from local.template.intrinsics import TemplateError
from local.template.stack import Stack, environment_of, load_stack
from local.tour.event_values import basic
from local.tour.events import ROOT, SESSION_FILE_NAME, STATE_FOLDER
from local.tour.seed import USER_ID
from local.tour.session import Session, provision, write_session
from local.tour.stops import plan
from local.tour.visits import surprises, table_of, visit

LOG_FILE_NAME: Final = "functions.log"
INTERRUPTED: Final = 130
"""The exit status that shells give to a program ended by Ctrl-C."""
PACKAGED_ACCESS_MAP: Final = "scopes.toml"
OWN_APIS: Final = {"RestApi": "REST API", "HttpApi": "HTTP API"}
TABLE_WIDTH: Final = 120
"""Columns. A narrower terminal breaks the lines; folded cells would be harder to read."""


class UsageError(Exception):
    """A setting of the run is wrong; the text says which."""


def main(environment: Mapping[str, str]) -> int:
    """Run until Ctrl-C or SIGTERM; return the exit status."""
    interrupt_on_signals()
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    console.width = max(console.width, TABLE_WIDTH)
    try:
        port = _port(environment)
        everything = {"HttpApiEnabled": "true", "AccessLogEnabled": "true"}
        parameters = {**everything, **_parameters(environment)}
        stack = load_stack(ROOT / "template.yaml", parameters)
        if access_map := environment.get("ACCESS_MAP"):
            stack = with_access_map(stack, _file("ACCESS_MAP", access_map, "an access map"))
        if template := environment.get("ATTACH"):
            stack = attach(stack, _file("ATTACH", template, "a SAM template"))
        run = _Run(
            stack,
            port,
            Path(environment.get("STATE_FOLDER") or STATE_FOLDER),
            read_behaviours(environment.get("PLATFORM", "")),
            once=environment.get("ONCE", "") not in ("", "0"),
        )
        return _run(run, console)
    except (UsageError, TemplateError, PortTaken, Misconfigured, WrongBehaviour) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("Stopped before it served.\n")
        return INTERRUPTED


@dataclass(frozen=True, slots=True)
class _Run:
    """What the settings say."""

    stack: Stack
    port: int
    folder: Path
    behaviours: Mapping[ApiKind, PlatformBehaviour]
    once: bool


def _run(run: _Run, console: Console) -> int:
    stack, folder = run.stack, run.folder
    log = folder / LOG_FILE_NAME
    with (
        _logged_to(log),
        embedded_aws(stack) as aws,
        loaded_stack(stack, aws) as loaded,
    ):
        function_environment = provisioning_environment(stack, aws)
        session = provision(loaded.functions[PROVISIONING_FUNCTION], function_environment)
        with (
            served_stack(loaded, run.port, behaviours=run.behaviours) as served,
            polled_stack(loaded),
        ):
            urls = _own_urls(served)
            described = _described(stack, loaded)
            file = folder / SESSION_FILE_NAME
            write_session(file, session, urls, function_environment, described)
            _say_where(console, stack, served)
            succeeded = _tour(console, stack, session, urls, log)
            if run.once:
                return 0 if succeeded else 1
            with noted_signals() as wait_for_signal:
                _say_what_next(console, stack, session, urls[0], folder)
                wait_for_signal()
            console.print("\nStopped. The store was in memory and is gone.")
    return 0


def _described(stack: Stack, loaded: LoadedStack) -> dict[str, object]:
    """Return what `keyscope --local` needs to know of the stack."""
    return {
        "outputs": dict(stack.outputs),
        "parameters": dict(stack.parameters),
        "authorizer_environment": dict(environment_of(stack, "RestAuthorizerFunction")),
        "endpoints": {
            **loaded.aws.environment,
            **control_plane_environment(loaded.control_plane_url),
        },
    }


def _tour(console: Console, stack: Stack, session: Session, urls: Sequence[str], log: Path) -> bool:
    if not _has_packaged_routes(stack) or len(urls) == 1:
        console.print("No tour: it needs the packaged access map and both APIs.")
        return True
    caching = stack.parameters["AuthorizerCacheSeconds"] != "0"
    visits = visit(plan(_route_sets(stack), caching=caching), session, urls, log)
    console.print(table_of(visits))
    console.print("\n".join(surprises(visits)), style="red", end="")
    expected = sum(one.as_expected for one in visits)
    console.print(f"\n{expected} of {len(visits)} requests were answered as expected.")
    return expected == len(visits)


def _own_urls(served: ServedStack) -> list[str]:
    """Return the URLs of the APIs in template.yaml."""
    pairs = zip(served.gateways, served.urls, strict=True)
    return [url for gateway, url in pairs if gateway.api.logical_id in OWN_APIS]


def _say_where(console: Console, stack: Stack, served: ServedStack) -> None:
    routes = stack.parameters["AccessMapRoutes"]
    console.print(f"Keyscope runs from template.yaml, with the route sets {routes}:")
    for gateway, url in zip(served.gateways, served.urls, strict=True):
        console.print(f"  {OWN_APIS.get(gateway.api.logical_id, gateway.api.logical_id)}  {url}")
    console.print()


def _say_what_next(
    console: Console, stack: Stack, session: Session, url: str, folder: Path
) -> None:
    shown = folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder
    files = (
        f"{shown / SESSION_FILE_NAME} (keys, ids), {shown / LOG_FILE_NAME} (decisions, requests)"
    )
    if _has_packaged_routes(stack):
        console.print("Paste one of these; the -i shows the status and the use of the cache:\n")
        version = "v2" if "v2" in _route_sets(stack) else "v1.1"
        console.print("\n".join(_curl_lines(session, url, version)), markup=False)
    if _has_console(stack):
        key = session.store.account_key
        console.print("\nOr open the key console in a browser, and sign in with this key:\n")
        console.print(f"  {url}/console\n  {key.key_id}\n  {key.secret}", markup=False)
    console.print(f"\nWritten: {files}.\nServing until Ctrl-C.", markup=False)


def _curl_lines(session: Session, url: str, version: str) -> list[str]:
    store, apps = session.store, f"{url}/{version}/apps"
    users, name = {"v2": ("users", "displayName"), "v1.1": ("appusers", "name")}[version]
    user = f"{apps}/{store.app_id}/{users}/{USER_ID}"
    account = f"-u {store.account_key.key_id}:{store.account_key.secret}"
    body = f"""-H 'Content-Type: application/json' -d '{{"{name}":"My app"}}'"""
    return [
        f"  curl -i {apps} {account}",
        f"  curl -i {apps} {account} {body}",
        f"  curl -i {user} -H 'Authorization: {basic(store.app_key)}'",
        f"  curl -i {user} -H 'Authorization: Bearer {session.app_user_token}'",
    ]


def _route_sets(stack: Stack) -> list[str]:
    return stack.parameters["AccessMapRoutes"].split(",")


def _has_console(stack: Stack) -> bool:
    return stack.parameters["ConsoleEnabled"] == "true"


def _has_packaged_routes(stack: Stack) -> bool:
    return stack.parameters["AccessMap"] == PACKAGED_ACCESS_MAP


@contextmanager
def _logged_to(path: Path) -> Iterator[None]:
    """Send what the functions print, and the gateway's own log, to a file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w", buffering=1, encoding="utf-8") as log:
        gateway_log = logging.getLogger("keyscope.local")
        gateway_log.setLevel(logging.INFO)
        handler = logging.StreamHandler(log)
        gateway_log.addHandler(handler)
        try:
            with contextlib.redirect_stdout(log):
                yield
        finally:
            gateway_log.removeHandler(handler)


def _file(setting: str, path: str, kind: str) -> Path:
    if not Path(path).is_file():
        message = f"{setting} is {path!r}; it takes the path of {kind}"
        raise UsageError(message)
    return Path(path).resolve()


def _port(environment: Mapping[str, str]) -> int:
    text = environment.get("PORT") or "3000"
    if not text.isascii() or not text.isdigit() or int(text) >= 2**16 - 1:
        message = f"PORT is {text!r}; it takes a number from 0 to 65534, for the first of two ports"
        raise UsageError(message)
    return int(text)


def _parameters(environment: Mapping[str, str]) -> dict[str, str]:
    pairs = [part.partition("=") for part in environment.get("PARAMETERS", "").split()]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        message = f"PARAMETERS holds {', '.join(wrong)}; it takes Name=Value, separated by spaces"
        raise UsageError(message)
    return {name: value for name, _, value in pairs}


if __name__ == "__main__":
    sys.exit(main(os.environ))
