"""Pictures of each view of the console in its states: `make screenshots`."""

import re
import sys
from collections.abc import Generator, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, Route, ViewportSize, sync_playwright

from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from keyscope_local.tour.seed import INTEGRATION_ID
from tests.browser.conftest import CHROMIUM, Account, Console
from tests.support.builders import basic
from tests.support.served_template import served_template

FOLDER: Final = Path(".local/screenshots")
WIDE: Final = ViewportSize(width=1280, height=800)
NARROW: Final = ViewportSize(width=390, height=844)
LOOKS: Final[dict[str, tuple[str, ViewportSize]]] = {
    "light": ("light", WIDE),
    "dark": ("dark", WIDE),
    "narrow": ("light", NARROW),
    "narrow-dark": ("dark", NARROW),
}
LIST_OF_APPS: Final = re.compile(r"/v2/apps\?")
IN_FRONT: Final = ("dialog", "menu")
"""Views in front of a page, which is not what one looks at."""
DAY_SECONDS: Final = 24 * 3_600
SIDEWAYS: Final = "document.documentElement.scrollWidth - innerWidth"


def main() -> int:
    """Take every picture; return the exit status, which is 1 if a page scrolls sideways."""
    if CHROMIUM is None:
        sys.stderr.write("There is no chromium; `apt-get install chromium` brings it.\n")
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    parameters = {"AccessMapRoutes": "v2,v1.1", "KeyCacheSeconds": "0"}
    wide = []
    with (
        (FOLDER / "functions.log").open("w", encoding="utf-8") as log,
        redirect_stdout(log),
        served_template(parameters) as served,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for look in LOOKS:
            account = _furnished(served.operations, served.urls[0])
            empty = _empty(served.operations, served.urls[0])
            for view, page in _views(browser, look, account, empty):
                page.screenshot(
                    path=FOLDER / f"{view}-{look}.png", full_page=not view.startswith(IN_FRONT)
                )
                if page.evaluate(SIDEWAYS) > 0:
                    wide.append(f"{view}-{look}")
        browser.close()
    sys.stdout.write(f"Pictures are in {FOLDER}.\n")
    sys.stdout.writelines(f"{name} scrolls sideways.\n" for name in wide)
    return 1 if wide else 0


def _empty(operations: Provisioning, url: str) -> Account:
    owner, created = operations.create_account("Empty", KeyRequest())
    return Account(url, operations, owner.owner_id, created.key.key_id, created.secret)


def _furnished(operations: Provisioning, url: str) -> Account:
    owner, created = operations.create_account("Example Bakery", KeyRequest())
    now = int(created.key.created_at)
    shop = operations.create_app(owner.owner_id, "Shop")
    keys = {
        "Shop server": KeyLimits(allowed_cidrs=("192.0.2.0/24",)),
        "Dashboard": KeyLimits(permissions=("read",), expires_at=now + 9 * DAY_SECONDS),
        "Nightly import": KeyLimits(
            permissions=("conversations:read", "users:read", "users:write"),
            expires_at=now + 200 * DAY_SECONDS,
        ),
        "Old server": KeyLimits(disabled_at=now),
        "Point of sale with a rather long name in the flagship store": KeyLimits(),
    }
    for name, limits in keys.items():
        request = KeyRequest(limits=limits, display_name=name)
        made = operations.create_key(OwnerType.APP, shop.owner_id, request)
        if name.startswith("Point of sale"):
            operations.rotate_key(shop.owner_id, made.key.key_id, DAY_SECONDS)
    bound = KeyRequest(display_name="CRM", integration_id=INTEGRATION_ID)
    operations.create_key(OwnerType.APP, shop.owner_id, bound)
    for number in range(1, 62):
        operations.create_app(owner.owner_id, f"Store {number}")
    robot = operations.create_service_account(owner.owner_id, "Franchise portal")
    operations.create_app(owner.owner_id, "Franchise Vienna", robot.owner_id)
    return Account(url, operations, owner.owner_id, created.key.key_id, created.secret)


def _views(
    browser: Browser, look: str, account: Account, empty: Account
) -> Iterator[tuple[str, Page]]:
    """Yield each view by its name, with the page that shows it."""
    scheme, size = LOOKS[look]
    for views, owner in ((_views_of_lists, account), (_states, account), (_empty_views, empty)):
        page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        for view in views(Console(page, owner)):
            yield view, page
        page.close()


def _views_of_lists(console: Console) -> Iterator[str]:
    page = console.page
    console.open()
    yield "sign-in"
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Where do I get a key?").click()
    yield "sign-in-error"
    console.sign_in()
    page.get_by_text("63 apps").wait_for()
    yield "apps"
    page.get_by_label("Search").fill("store 1")
    yield "apps-search"
    page.get_by_label("Search").fill("no such app")
    yield "apps-none"
    page.get_by_label("Search").fill("shop")
    page.get_by_role("button", name="Create app").click()
    page.get_by_role("dialog").get_by_role("button", name="Create app").click()
    yield "dialog-create-app"
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Shop").click()
    app_id = console.app_id()
    yield from _views_of_keys(console)
    key_id, secret = yield from _views_of_a_secret(console)
    page.get_by_role("tab", name="Integrations").click()
    page.get_by_role("button", name="Actions for CRM").wait_for()
    yield "integrations"
    page.get_by_role("tab", name="Settings").click()
    yield "settings"
    console.go_to("Service accounts")
    page.get_by_role("link", name="Franchise portal").wait_for()
    yield "service-accounts"
    page.get_by_role("link", name="Franchise portal").click()
    page.get_by_text("No API keys").wait_for()
    yield "service-account"
    console.go_to("Policy lens")
    if console.is_narrow():
        page.get_by_role("button", name="Menu").click()
        yield "menu"
        page.keyboard.press("Escape")
    yield "lens-empty"
    console.look_through_lens(basic(key_id, secret), "GET", f"/v2/apps/{app_id}/keys")
    yield "lens-refused"
    console.look_through_lens(f"Bearer {secret}", "GET", f"/v2/apps/{app_id}/users")
    yield "lens-allowed"


def _views_of_keys(console: Console) -> Iterator[str]:
    """Yield the views of an app's keys, which is shown."""
    page = console.page
    page.get_by_role("button", name="Actions for Shop server").wait_for()
    yield "keys"
    page.get_by_role("button", name="Actions for Shop server").click()
    yield "dialog-menu"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Nightly import", exact=True).click()
    yield "dialog-details"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Create key").first.click()
    yield "dialog-create-key"
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Choose permissions").check()
    dialog.get_by_label("Expiration", exact=True).select_option("custom")
    dialog.get_by_label("Allowed IP ranges").fill("192.0.2.7/24")
    dialog.get_by_role("button", name="Create key").click()
    yield "dialog-create-key-error"
    page.keyboard.press("Escape")


def _views_of_a_secret(console: Console) -> Generator[str, None, tuple[str, str]]:
    """Yield the views of a new key; return its id and secret."""
    page = console.page
    console.ask_for_key("Reporting")
    yield "dialog-secret"
    page.get_by_role("tab", name="Python").click()
    page.get_by_role("button", name="Done").click()
    yield "dialog-secret-leaving"
    key_id, secret = console.keep_secret()
    page.get_by_text("Key created.").wait_for()
    yield "keys-toast"
    console.choose("Rotate", "Reporting")
    yield "dialog-rotate"
    page.keyboard.press("Escape")
    console.choose("Delete", "Reporting")
    yield "dialog-delete"
    page.keyboard.press("Escape")
    return key_id, secret


def _states(console: Console) -> Iterator[str]:
    """Yield what the list of apps shows while it loads and when it fails."""
    page = console.page
    console.sign_in()
    page.get_by_text("63 apps").wait_for()
    console.go_to("Policy lens")
    held: list[Route] = []
    page.route(LIST_OF_APPS, lambda route: held.append(route))  # noqa: PLW0108 - Playwright
    console.go_to("Apps")
    yield "apps-loading"
    console.go_to("Policy lens")
    for route in held:
        route.abort()
    page.unroute(LIST_OF_APPS)
    page.route(LIST_OF_APPS, lambda route: route.fulfill(status=500, json={}))
    console.go_to("Apps")
    page.get_by_role("button", name="Try again").wait_for()
    yield "apps-failed"


def _empty_views(console: Console) -> Iterator[str]:
    page = console.page
    console.sign_in()
    page.get_by_text("No apps yet").wait_for()
    yield "apps-empty"
    console.create_app("Shop")
    page.get_by_text("No API keys").wait_for()
    yield "keys-empty"
    page.get_by_role("tab", name="Integrations").click()
    page.get_by_text("No integration keys").wait_for()
    yield "integrations-empty"
    console.go_to("Service accounts")
    page.get_by_text("No service accounts yet").wait_for()
    yield "service-accounts-empty"


if __name__ == "__main__":
    sys.exit(main())
