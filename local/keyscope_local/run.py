"""`keyscope up`: run the whole stack on this machine, tour it, and then leave it running for you.

`keyscope_local.run_settings` lists its options.
"""

import contextlib
import logging
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console

from keyscope.access.access_map import read_access_map, unreached_management
from keyscope.access.rules import MANAGEMENT, AccessMap
from keyscope.entry.settings import AuthorizerSettings, read_authorizer_settings
from keyscope.errors import Misconfigured
from keyscope_local.emulators.embedded_aws import embedded_aws
from keyscope_local.gateway.api_definition import Api, ApiKind
from keyscope_local.gateway.control_plane import control_plane_environment
from keyscope_local.gateway.gateway import Gateway
from keyscope_local.gateway.platform_settings import WrongBehavior
from keyscope_local.gateway.server import PortTaken
from keyscope_local.invoke import PROVISIONING_FUNCTION, provisioning_environment
from keyscope_local.run_settings import (
    RunOptions,
    RunSettings,
    WrongSetting,
    read_run_settings,
)
from keyscope_local.running_stack import (
    LoadedStack,
    ServedStack,
    loaded_stack,
    polled_stack,
    served_stack,
    subscribed_stack,
)
from keyscope_local.stop_signals import interrupt_on_signals, noted_signals
from keyscope_local.template.function_failure import FunctionNotLoaded
from keyscope_local.template.intrinsics import TemplateError
from keyscope_local.template.stack import Stack, environment_of
from keyscope_local.tour import attached_calls
from keyscope_local.tour.event_values import basic
from keyscope_local.tour.seed import USER_ID
from keyscope_local.tour.session import Session, provision, session_file
from keyscope_local.tour.state_folder import SESSION_FILE_NAME, FolderInUse, held_folder
from keyscope_local.tour.stops import SHORT_V1_1, plan
from keyscope_local.tour.visits import surprises, table_of, visit

LOG_FILE_NAME: Final = "functions.log"
INTERRUPTED: Final = 130
"""The exit status that shells report for a program stopped with Ctrl-C."""
PACKAGED_ACCESS_MAP: Final = "scopes.toml"
OWN_APIS: Final = {"RestApi": "REST API", "HttpApi": "HTTP API"}
NOT_INVOCABLE_STATUS: Final = "500 (AUTHORIZER_CONFIGURATION_ERROR)"
TABLE_WIDTH: Final = 120
"""Columns. A narrower terminal wraps the lines; folded cells are harder to read."""


_REFUSALS: Final = (
    WrongSetting,
    TemplateError,
    FunctionNotLoaded,
    FolderInUse,
    PortTaken,
    Misconfigured,
    WrongBehavior,
)
"""Errors that you can fix, reported in one line."""


def run(options: RunOptions) -> int:
    """Run until Ctrl-C or SIGTERM, and return the exit status."""
    interrupt_on_signals()
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    console.width = max(console.width, TABLE_WIDTH)
    try:
        return _run(read_run_settings(options), console)
    except _REFUSALS as error:
        # Some texts come from a library, which may use several lines.
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("Stopped before the server was ready.\n")
        return INTERRUPTED


def _run(settings: RunSettings, console: Console) -> int:
    log = settings.folder / LOG_FILE_NAME
    with held_folder(settings.folder), _logged_to(log):
        console.print("Starting the local stack. This takes some seconds.\n")
        return _run_in_folder(settings, console, log)


def _run_in_folder(settings: RunSettings, console: Console, log: Path) -> int:
    stack, folder = settings.stack, settings.folder
    with (
        embedded_aws(stack) as aws,
        loaded_stack(stack, aws) as loaded,
    ):
        function_environment = provisioning_environment(stack, aws)
        session = provision(loaded.functions[PROVISIONING_FUNCTION], function_environment)
        with (
            served_stack(loaded, settings.port, behaviors=settings.behaviors) as served,
            polled_stack(loaded),
            subscribed_stack(loaded),
        ):
            urls = _own_urls(served)
            described = _described(stack, loaded)
            file = folder / SESSION_FILE_NAME
            with session_file(file, session, urls, function_environment, described):
                _say_where(console, loaded, served)
                succeeded = _tour(console, stack, session, urls, log)
                if settings.once:
                    return 0 if succeeded else 1
                with noted_signals() as wait_for_signal:
                    _say_what_next(console, stack, session, urls[0], folder)
                    _say_how_to_call_the_attached(console, loaded, session, served)
                    console.print("Running. Press Ctrl-C to stop.")
                    wait_for_signal()
            console.print("\nStopped. The data was in memory only.")
    return 0


def _described(stack: Stack, loaded: LoadedStack) -> dict[str, object]:
    """Return what `keyscope --local` needs to know about the stack."""
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
        console.print("Tour skipped: it requires the packaged access map and both APIs.")
        return True
    caching = stack.parameters["AuthorizerCacheSeconds"] != "0"
    visits = visit(plan(_route_sets(stack), caching=caching), session, urls, log)
    console.print(table_of(visits))
    console.print("\n".join(surprises(visits)), style="red", end="")
    expected = sum(one.as_expected for one in visits)
    console.print(f"\n{expected} of {len(visits)} responses were as expected.")
    return expected == len(visits)


def _own_urls(served: ServedStack) -> list[str]:
    """Return the URLs of the APIs in template.yaml."""
    pairs = zip(served.gateways, served.urls, strict=True)
    return [url for gateway, url in pairs if gateway.api.logical_id in OWN_APIS]


def _say_where(console: Console, loaded: LoadedStack, served: ServedStack) -> None:
    routes = (
        ",".join(_settings_of(loaded).route_sets) or f"{MANAGEMENT} and the one in your access map"
    )
    console.print(f"Keyscope is running with the route sets {routes}:")
    for gateway, url in zip(served.gateways, served.urls, strict=True):
        console.print(f"  {_name_of(gateway)}  {url}")
    for line in _not_invocable(served.gateways):
        console.print(line, style="red", markup=False)
    if missing := unreached_management(_access_map_of(loaded)):
        console.print(
            f"No key reaches {', '.join(missing)}, so the console and `keyscope` cannot manage"
            f" apps and keys. Add {MANAGEMENT} to AccessMapRoutes.",
            style="yellow",
            markup=False,
        )
    console.print()


def _name_of(gateway: Gateway) -> str:
    return OWN_APIS.get(gateway.api.logical_id, gateway.api.logical_id)


def _not_invocable(gateways: Sequence[Gateway]) -> Iterator[str]:
    for gateway in gateways:
        for authorizer in gateway.api.authorizers.values():
            if authorizer.not_invocable is None:
                continue
            yield (
                f"{_name_of(gateway)} returns {NOT_INVOCABLE_STATUS} for every request with the"
                f" authorizer {authorizer.name}: {authorizer.not_invocable}"
            )
            if gateway.api.kind is ApiKind.HTTP:
                yield "  With EnableFunctionDefaultPermissions: true, SAM adds the permission."


def _say_what_next(
    console: Console, stack: Stack, session: Session, url: str, folder: Path
) -> None:
    files = (
        f"{folder / SESSION_FILE_NAME} (keys, ids), {folder / LOG_FILE_NAME} (decisions, requests)"
    )
    if _has_packaged_routes(stack):
        console.print("Try these requests (-i shows the status and whether the cache was used):\n")
        lines = _curl_lines(session, url, _route_sets(stack))
        console.print("\n".join(lines), markup=False)
    if _has_console(stack):
        key = session.store.account_key
        console.print("\nOpen the key console in a browser and sign in with this key:\n")
        console.print(f"  {url}/console\n  {key.key_id}\n  {key.secret}", markup=False)
    console.print(f"\nWritten: {files}.", markup=False)


def _say_how_to_call_the_attached(
    console: Console, loaded: LoadedStack, session: Session, served: ServedStack
) -> None:
    attached = [
        (gateway.api, url)
        for gateway, url in zip(served.gateways, served.urls, strict=True)
        if gateway.api.logical_id in loaded.stack.attached
    ]
    if not attached:
        return
    access_map = _access_map_of(loaded)
    for api, url in attached:
        console.print("\n".join(_lines_of_attached(api, url, access_map, session)), markup=False)


def _lines_of_attached(
    api: Api, url: str, access_map: AccessMap, session: Session
) -> Sequence[str]:
    lines = attached_calls.curl_lines(api, url, access_map, session)
    if not lines:
        advice = "Use --access-map with your map, and --parameters AccessMapRoutes=NAMES."
        return [f"\nNo rule of the access map reaches a route of {api.logical_id}. {advice}"]
    return [f"\nTry these requests to {api.logical_id}:\n", *lines]


def _access_map_of(loaded: LoadedStack) -> AccessMap:
    settings = _settings_of(loaded)
    return read_access_map(settings.access_map, settings.route_sets)


def _settings_of(loaded: LoadedStack) -> AuthorizerSettings:
    own = environment_of(loaded.stack, "RestAuthorizerFunction")
    return read_authorizer_settings({**own, **loaded.aws.environment})


def _curl_lines(session: Session, url: str, route_sets: Collection[str]) -> list[str]:
    store = session.store
    if "v2" in route_sets:
        apps, name = f"{url}/v2/apps", "displayName"
        user = f"{apps}/{store.app_id}/users/{USER_ID}"
    else:
        apps, name = f"{url}/v1.1/apps", "name"
        of_app = f"{url}/v1.1" if SHORT_V1_1 in route_sets else f"{apps}/{store.app_id}"
        user = f"{of_app}/appusers/{USER_ID}"
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
    """Write the output of the functions and the gateway's own log to a file."""
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
