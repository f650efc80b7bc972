"""What the console must never do: send the secret, keep it, or run what is not its own."""

import base64
import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Error, Route, expect

from functions.console.app import SECURITY_HEADERS
from keyscope.model.secret import new_secret
from tests.browser.conftest import Account, Console, new_console, sent_by

pytestmark = pytest.mark.browser

THROTTLE_BURST = 20
"""Files that API Gateway answers at once: ThrottlingBurstLimit in the template."""


def use(console: Console) -> Console:
    """Create a key in a console and rotate it."""
    console.sign_in()
    console.create_app("Safety")
    console.create_key("Server")
    console.choose("Rotate", "Server")
    console.page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    console.keep_secret()
    return console


@pytest.fixture
def used(console: Console) -> Console:
    """Return a console in which a key was created and rotated."""
    return use(console)


@pytest.fixture(scope="module")
def seen(browser: Browser, account: Account) -> Iterator[Console]:
    """Return such a console for tests that only look at it."""
    with new_console(browser, account) as console:
        yield use(console)


def test_no_request_carries_a_secret(seen: Console) -> None:
    key_id, secret = seen.account.key_id, seen.account.secret
    basic = base64.b64encode(f"{key_id}:{secret}".encode()).decode()
    sent = "".join(sent_by(request) for request in seen.requests)
    assert "Bearer " in sent
    assert [
        form for form in (secret, basic, base64.b64encode(secret.encode()).decode()) if form in sent
    ] == []
    assert re.search(r"ks_\w{78}", sent) is None


def test_the_page_calls_nothing_but_its_own_api(seen: Console) -> None:
    assert [r.url for r in seen.requests if not r.url.startswith(seen.account.url)] == []


def test_the_browser_keeps_nothing(seen: Console) -> None:
    kept = seen.page.evaluate(
        "async () => [localStorage.length, sessionStorage.length, document.cookie,"
        " (await indexedDB.databases()).length, (await caches.keys()).length]"
    )
    assert kept == [0, 0, "", 0, 0]


def test_a_reload_asks_for_the_key_again(used: Console) -> None:
    used.page.reload()
    expect(used.page.get_by_role("heading", name="Sign in to Keyscope")).to_be_visible()


def test_signing_out_leaves_no_trace_of_the_secret_on_the_page(used: Console) -> None:
    used.page.get_by_role("button", name="Sign out").click()
    expect(used.page.get_by_role("heading", name="Sign in to Keyscope")).to_be_visible()
    assert used.account.secret not in used.page.content()
    assert used.page.input_value("#secret") == ""


def test_nothing_violates_the_policy_of_the_page(seen: Console) -> None:
    assert seen.violations() == []
    assert seen.complaints == []


def test_opening_the_page_stays_below_its_throttle(console: Console) -> None:
    console.open()
    console.page.wait_for_load_state("networkidle")
    assert len(console.requests) < THROTTLE_BURST


def test_the_policy_of_the_page_loads_nothing_from_elsewhere(console: Console) -> None:
    console.open()
    console.page.evaluate(
        "() => { const image = document.createElement('img'); image.src = 'data:,';"
        " document.body.append(image); }"
    )
    console.page.wait_for_function("violations.includes('img-src')")


def test_the_policy_of_the_page_takes_no_markup_from_strings(console: Console) -> None:
    console.open()
    with pytest.raises(Error, match="TrustedHTML"):
        console.page.evaluate("document.body.innerHTML = '<img src=x onerror=alert(1)>'")


def test_every_file_carries_the_policy(console: Console) -> None:
    console.open()
    for request in console.requests:
        headers = httpx.get(request.url).headers
        assert headers["content-security-policy"] == SECURITY_HEADERS["Content-Security-Policy"]


def test_a_wrong_secret_is_told_in_a_sentence(console: Console) -> None:
    console.open()
    console.page.fill("#keyId", console.account.key_id)
    console.page.fill("#secret", new_secret(console.account.key_id))
    console.page.get_by_role("button", name="Sign in").click()
    expect(console.page.locator(".alert")).to_contain_text("does not accept this key")


def test_an_apps_key_is_told_apart_before_anything_is_sent(console: Console) -> None:
    console.open()
    before = len(console.requests)
    console.page.fill("#keyId", "app_" + "0" * 24)
    console.page.fill("#secret", console.account.secret)
    console.page.get_by_role("button", name="Sign in").click()
    expect(console.page.locator("#keyId-error")).to_contain_text("This is an app's key")
    assert len(console.requests) == before


def test_a_barrier_is_found(console: Console) -> None:
    console.open()
    console.page.evaluate("document.querySelector('h1').style.color = '#ccc'")
    assert [barrier for barrier in console.barriers() if barrier.startswith("color-contrast: <h1")]


SIDEWAYS = "document.documentElement.scrollWidth > innerWidth"


@pytest.mark.parametrize("width", [1280, 390])
def test_no_view_has_a_barrier_or_scrolls_sideways(width: int, console: Console) -> None:
    page = console.page
    page.set_viewport_size({"width": width, "height": 800})
    found: list[str] = []

    def look(view: str) -> None:
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        found.extend(f"{view}: {barrier}" for barrier in console.barriers())
        # The schemes differ in nothing but colors.
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        found.extend(f"{view} in the dark: {bad}" for bad in console.barriers("color-contrast"))
        if page.evaluate(SIDEWAYS):
            found.append(f"{view} scrolls sideways")

    console.open()
    page.get_by_role("button", name="Sign in").click()
    look("sign-in with an error")
    console.sign_in()
    look("apps")
    console.create_app(f"Barriers {width} with a name that is too long for one line")
    page.get_by_text("No API keys").wait_for()
    look("no keys")
    page.get_by_role("button", name="Create key").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Choose permissions").check()
    dialog.get_by_label("Allowed IP ranges").fill("nowhere")
    dialog.get_by_role("button", name="Create key").click()
    look("create key with errors")
    page.keyboard.press("Escape")
    console.ask_for_key("Server")
    look("new secret")
    page.get_by_role("button", name="Done").click()
    look("leaving a new secret")
    console.keep_secret()
    page.get_by_role("button", name="Actions for Server").wait_for()
    look("keys")
    page.get_by_role("button", name="Actions for Server").click()
    look("menu")
    page.keyboard.press("Escape")
    for action in ("Details", "Edit", "Rotate", "Disable", "Delete"):
        console.choose(action, "Server")
        look(action)
        page.keyboard.press("Escape")
    for tab in ("Integrations", "Settings"):
        page.get_by_role("tab", name=tab).click()
        look(tab)
    console.go_to("Service accounts")
    look("service accounts")
    console.go_to("Policy lens")
    look("lens")
    assert found == []


def slowed(console: Console, path: str) -> None:
    """Have answers of the API to a path come late."""

    def hold(route: Route) -> None:
        console.page.wait_for_timeout(700)
        route.continue_()

    console.page.route(re.compile(path), hold)


def test_a_late_answer_brings_nothing_back_after_signing_out(console: Console) -> None:
    console.sign_in()
    console.create_app("Late answer")
    console.go_to("Apps")
    console.page.get_by_label("Search").fill("Late answer")
    slowed(console, "/v2/apps/[0-9a-f]{24}$")
    console.page.get_by_role("link", name="Late answer").click(no_wait_after=True)
    console.page.get_by_role("button", name="Sign out").click()
    console.page.wait_for_timeout(1_500)
    expect(console.page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(console.page.get_by_role("heading", name="Late answer")).to_have_count(0)


def test_what_was_copied_is_told_in_front_of_the_page(used: Console) -> None:
    used.ask_for_key("Another")
    used.page.get_by_role("button", name="Copy the secret", exact=True).click()
    expect(used.page.locator("dialog [role=status]")).to_have_text("Copied the secret.")


def test_a_page_that_slept_for_long_asks_for_the_key_again(console: Console) -> None:
    console.sign_in()
    console.page.evaluate("() => { const now = Date.now; Date.now = () => now() + 16 * 60000; }")
    console.page.keyboard.press("Tab")
    expect(console.page.locator(".alert")).to_contain_text("signed out after 15 minutes")
