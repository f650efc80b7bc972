"""Pictures of each view of the console, light, dark and narrow: `make screenshots`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, ViewportSize, sync_playwright

from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from tests.browser.conftest import CHROMIUM, Account, Console
from tests.support.builders import basic
from tests.support.served_template import served_template

FOLDER: Final = Path(".local/screenshots")
WIDE: Final = ViewportSize(width=1100, height=760)
NARROW: Final = ViewportSize(width=360, height=740)
LOOKS: Final[dict[str, tuple[str, ViewportSize]]] = {
    "light": ("light", WIDE),
    "dark": ("dark", WIDE),
    "narrow": ("light", NARROW),
    "narrow-dark": ("dark", NARROW),
}


def main() -> int:
    """Take every picture; return the exit status."""
    if CHROMIUM is None:
        sys.stderr.write("There is no chromium; `apt-get install chromium` brings it.\n")
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    parameters = {"AccessMapRoutes": "v2,v1.1"}
    with (
        (FOLDER / "functions.log").open("w", encoding="utf-8") as log,
        redirect_stdout(log),
        served_template(parameters) as served,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        account = _furnished(served.operations, served.urls[0])
        for look, (scheme, size) in LOOKS.items():
            page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
            for view in _views(Console(page, account)):
                page.screenshot(path=FOLDER / f"{view}-{look}.png", full_page=view == "lens")
        browser.close()
    sys.stdout.write(f"Pictures are in {FOLDER}.\n")
    return 0


def _furnished(operations: Provisioning, url: str) -> Account:
    owner, created = operations.create_account("Example Bakery", KeyRequest())
    shop = operations.create_app(owner.owner_id, "Shop")
    for name, cidrs in {"Shop server": ("192.0.2.0/24",), "Nightly import": ()}.items():
        request = KeyRequest(limits=KeyLimits(allowed_cidrs=cidrs), display_name=name)
        operations.create_key(OwnerType.APP, shop.owner_id, request)
    for name in ("Newsletter", "Loyalty cards", "Staging"):
        operations.create_app(owner.owner_id, name)
    operations.create_service_account(owner.owner_id, "Franchise portal")
    return Account(url, operations, owner.owner_id, created.key.key_id, created.secret)


def _views(console: Console) -> Iterator[str]:
    page = console.page
    console.open()
    yield "sign-in"
    console.sign_in()
    yield "apps"
    page.get_by_role("link", name="Shop").click()
    page.wait_for_selector(".card")
    yield "keys"
    console.ask_for_key("Reporting")
    yield "secret"
    key_id, secret = console.keep_secret()
    app_id = page.url.rpartition("/")[2]
    page.get_by_role("button", name="Delete Reporting").first.click()
    yield "delete"
    page.keyboard.press("Escape")
    _open(page, "Service accounts", lambda: page.wait_for_selector("table"))
    yield "service-accounts"
    _open(page, "Policy lens", lambda: page.wait_for_selector("h1:has-text('lens')"))
    console.look_through_lens(basic(key_id, secret), "GET", f"/v2/apps/{app_id}/keys")
    yield "lens"


def _open(page: Page, part: str, wait: Callable[[], object]) -> None:
    page.get_by_role("link", name=part).click()
    wait()


if __name__ == "__main__":
    sys.exit(main())
