"""The console of the template's own stack, in a real Chromium."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from keyscope.lifecycle.operations import KeyRequest, Provisioning
from tests.support.patience import PATIENCE_SECONDS
from tests.support.served_template import served_template

AXE: Final = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
WATCH: Final = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""


@dataclass(frozen=True)
class Account:
    """An account of the served stack, with the key that one signs in with."""

    url: str
    operations: Provisioning
    account_id: str
    key_id: str
    secret: str = field(repr=False)


@dataclass
class Console:
    """A page of the console, with what it asked for and what it complained of."""

    page: Page
    account: Account
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, view: str = "") -> None:
        self.page.goto(f"{self.account.url}/console/index.html{view}")
        self.page.wait_for_selector("h1")

    def sign_in(self) -> None:
        self.open()
        self.sign_in_again()
        self.page.wait_for_selector("h1:has-text('Apps')")

    def sign_in_again(self) -> None:
        """Sign in at the view that the address names."""
        self.page.fill("#keyId", self.account.key_id)
        self.page.fill("#secret", self.account.secret)
        self.page.get_by_role("button", name="Sign in").click()

    def is_narrow(self) -> bool:
        """Return whether the page has a menu instead of its side navigation."""
        return self.page.get_by_role("button", name="Menu").is_visible()

    def go_to(self, part: str) -> None:
        """Go to a part of the console by its navigation."""
        if self.is_narrow():
            self.page.get_by_role("button", name="Menu").click()
        parts = self.page.get_by_role("navigation", name="Console")
        parts.get_by_role("link", name=part).click()
        self.page.wait_for_selector(f"h1:has-text('{part}')")

    def app_id(self) -> str:
        """Return the id of the app that is shown."""
        return self.page.url.partition("#/apps/")[2].partition("/")[0]

    def create_app(self, name: str) -> None:
        self.go_to("Apps")
        self.page.get_by_role("button", name="Create app").first.click()
        self.page.get_by_role("dialog").get_by_label("Name").fill(name)
        self.page.get_by_role("dialog").get_by_role("button", name="Create app").click()
        self.page.wait_for_selector(f"h1:has-text('{name}')")

    def create_key(self, name: str) -> tuple[str, str]:
        """Create a key of the app or service account that is shown; return its id and secret."""
        self.ask_for_key(name)
        return self.keep_secret()

    def ask_for_key(self, name: str) -> None:
        """Create a key, whose secret is then shown."""
        self.page.get_by_role("button", name="Create key").first.click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_label("Name").fill(name)
        dialog.get_by_role("button", name="Create key").click()
        dialog.get_by_role("button", name="Done").wait_for()

    def keep_secret(self) -> tuple[str, str]:
        """Read the id and the secret that are shown, and close what shows them."""
        dialog = self.page.locator("dialog[data-secret]")
        dialog.get_by_role("button", name="Done").wait_for()
        secret, key_id = dialog.locator(".whole").all_inner_texts()
        if not dialog.get_by_role("button", name="Close anyway").is_visible():
            dialog.get_by_role("button", name="Done").click()
        dialog.get_by_role("button", name="Close anyway").click()
        dialog.wait_for(state="detached")
        return key_id, secret

    def choose(self, action: str, name: str) -> None:
        """Choose an action of the key with this name."""
        self.page.get_by_role("button", name=f"Actions for {name}").click()
        self.page.get_by_role("menuitem", name=action, exact=True).click()

    def look_through_lens(self, credential: str, method: str, path: str) -> None:
        """Have the API explain a request; the lens must be shown."""
        self.page.locator("#credential").fill(credential)
        self.page.get_by_label("Method").select_option(method)
        self.page.get_by_label("Path").fill(path)
        self.page.get_by_role("button", name="Explain", exact=True).click()
        self.page.get_by_role("heading", name="Step by step").wait_for()

    def barriers(self, *rules: str) -> list[str]:
        """Return what axe-core finds on the page as it is, by all of its rules or by these only."""
        if not AXE.exists():
            pytest.skip("There is no axe-core; `make test` installs it where npm is")
        self.page.evaluate(AXE.read_text("utf-8"))
        found = self.page.evaluate("only => axe.run(only)", {"runOnly": rules} if rules else {})
        return [
            f"{violation['id']}: {node['html']}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    def violations(self) -> list[str]:
        found: list[str] = self.page.evaluate("violations")
        return found


expect.set_options(timeout=PATIENCE_SECONDS * 1_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("There is no chromium; `apt-get install chromium` brings it")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    parameters = {"AccessMapRoutes": "v2,v1.1", "KeyCacheSeconds": "0"}
    with served_template(parameters, polled=True) as served:
        owner, created = served.operations.create_account("Acme", KeyRequest())
        yield Account(
            served.urls[0],
            served.operations,
            owner.owner_id,
            created.key.key_id,
            created.secret,
        )


@contextmanager
def new_console(browser: Browser, account: Account) -> Iterator[Console]:
    """Open a page in a context of its own, which shares nothing with any other one."""
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    context.set_default_timeout(PATIENCE_SECONDS * 1_000)
    context.add_init_script(WATCH)
    page = context.new_page()
    console = Console(page, account)
    page.on("request", lambda request: console.requests.append(request))  # noqa: PLW0108 - Playwright
    page.on("pageerror", lambda error: console.complaints.append(str(error)))
    page.on("console", lambda line: console.complaints.append(line.text))
    yield console
    context.close()


@pytest.fixture
def console(browser: Browser, account: Account) -> Iterator[Console]:
    with new_console(browser, account) as opened:
        yield opened


def sent_by(request: Request) -> str:
    """Return all that a request carries."""
    return json.dumps([request.url, request.all_headers(), request.post_data])


@pytest.fixture
def signed_in(console: Console) -> Console:
    console.sign_in()
    return console


def status_of(console: Console, key_id: str, secret: str) -> int:
    """Return the status of a request about the app that is shown, with a key."""
    url = f"{console.account.url}/v2/apps/{console.app_id()}/users"
    return httpx.get(url, auth=(key_id, secret)).status_code
