"""What people do with keys in the console, against the real API behind it."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from keyscope.lifecycle.external_ids import ExternalName
from keyscope.lifecycle.operations import KeyRequest
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from keyscope_local.tour.seed import INTEGRATION_ID
from tests.browser.conftest import Account, Console, new_console, status_of
from tests.support.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.browser


def wait_until(holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert holds()


def row(console: Console, name: str) -> Locator:
    return console.page.locator("tbody tr", has_text=name)


def dialog(console: Console) -> Locator:
    return console.page.get_by_role("dialog")


def press(console: Console, name: str) -> None:
    """Press a button of the dialog."""
    dialog(console).get_by_role("button", name=name, exact=True).click()


def test_the_secret_is_shown_once(signed_in: Console) -> None:
    signed_in.create_app("Shown once")
    _, secret = signed_in.create_key("Server")
    expect(row(signed_in, "Server")).to_have_count(1)
    assert secret not in signed_in.page.content()


def test_leaving_a_secret_that_was_not_saved_asks_first(signed_in: Console) -> None:
    signed_in.create_app("Not saved")
    signed_in.ask_for_key("Server")
    for _ in range(3):
        signed_in.page.keyboard.press("Escape")
    expect(dialog(signed_in).get_by_role("alert")).to_contain_text("cannot show it again")
    press(signed_in, "Go back")
    expect(dialog(signed_in).get_by_role("alert")).to_have_count(0)
    press(signed_in, "Done")
    press(signed_in, "Close anyway")
    expect(dialog(signed_in)).to_have_count(0)


def test_a_copied_secret_is_left_without_a_question(signed_in: Console) -> None:
    signed_in.create_app("Copied")
    signed_in.ask_for_key("Server")
    secret = dialog(signed_in).locator(".whole").first.inner_text()
    signed_in.page.get_by_role("button", name="Copy the secret", exact=True).click()
    assert signed_in.page.evaluate("navigator.clipboard.readText()") == secret
    press(signed_in, "Done")
    expect(dialog(signed_in)).to_have_count(0)


def test_a_secret_is_downloaded_as_environment_variables(
    signed_in: Console, tmp_path: Path
) -> None:
    signed_in.create_app("Downloaded")
    signed_in.ask_for_key("Server")
    secret, key_id = dialog(signed_in).locator(".whole").all_inner_texts()
    with signed_in.page.expect_download() as downloaded:
        press(signed_in, "Download .env")
    downloaded.value.save_as(tmp_path / "key.env")
    lines = (tmp_path / "key.env").read_text("utf-8").splitlines()
    url = f"{signed_in.account.url}/v2/apps/{signed_in.app_id()}"
    assert lines == [
        f"KEYSCOPE_URL={url}",
        f"KEYSCOPE_KEY_ID={key_id}",
        f"KEYSCOPE_SECRET={secret}",
    ]
    assert downloaded.value.suggested_filename == f"{key_id}.env"


@pytest.mark.parametrize("width", [1280, 390])
def test_no_example_is_cut(width: int, signed_in: Console) -> None:
    signed_in.page.set_viewport_size({"width": width, "height": 800})
    signed_in.create_app(f"Examples {width}")
    signed_in.ask_for_key("Server")
    secret = dialog(signed_in).locator(".whole").first.inner_text()
    for name in ("curl", "Python", "JavaScript", ".env"):
        dialog(signed_in).get_by_role("tab", name=name).click()
        example = dialog(signed_in).locator("pre")
        expect(example).to_contain_text(secret)
        assert example.evaluate("pre => pre.scrollWidth <= pre.clientWidth")


def test_a_rotated_key_takes_both_secrets_and_counts_down(signed_in: Console) -> None:
    signed_in.create_app("Rotated")
    key_id, old = signed_in.create_key("Server")
    signed_in.choose("Rotate", "Server")
    signed_in.page.get_by_label("Overlap").select_option(label="1 hour")
    press(signed_in, "Rotate")
    _, new = signed_in.keep_secret()
    expect(row(signed_in, "Server")).to_contain_text("Rotating")
    expect(signed_in.page.get_by_role("timer")).to_have_text(re.compile(r"^\d+ min"))
    assert [status_of(signed_in, key_id, secret) for secret in (old, new)] == [200, 200]


def test_an_ended_overlap_refuses_the_old_secret(signed_in: Console) -> None:
    signed_in.create_app("Overlap ended")
    key_id, old = signed_in.create_key("Server")
    signed_in.choose("Rotate", "Server")
    press(signed_in, "Rotate")
    signed_in.keep_secret()
    expect(row(signed_in, "Server")).to_contain_text("Rotating")
    signed_in.choose("End overlap", "Server")
    press(signed_in, "End overlap")
    expect(signed_in.page.get_by_role("timer")).to_have_count(0)
    wait_until(lambda: status_of(signed_in, key_id, old) == 401)


def test_a_disabled_key_is_refused_until_it_is_enabled(signed_in: Console) -> None:
    signed_in.create_app("Disabled")
    key = signed_in.create_key("Server")
    signed_in.choose("Disable", "Server")
    press(signed_in, "Disable")
    expect(row(signed_in, "Server").locator(".badge")).to_have_text("Disabled")
    wait_until(lambda: status_of(signed_in, *key) == 401)
    signed_in.choose("Enable", "Server")
    expect(row(signed_in, "Server").locator(".badge")).to_have_text("Active")
    wait_until(lambda: status_of(signed_in, *key) == 200)


def test_a_key_is_limited_to_networks_time_and_permissions(signed_in: Console) -> None:
    signed_in.create_app("Limited")
    key = signed_in.create_key("Server")
    signed_in.choose("Edit", "Server")
    question = dialog(signed_in)
    question.get_by_label("Choose permissions").check()
    expect(question.locator(".check", has_text="users:write")).to_contain_text("Create, change")
    question.get_by_role("checkbox", name="users:write").check()
    question.get_by_label("Expiration", exact=True).select_option(label="Custom date")
    question.get_by_label("Expiration date and time").fill("2035-01-31T12:00")
    expect(question.locator("#expiresAt-hint")).to_contain_text("Jan 31, 2035")
    question.get_by_label("Allowed IP ranges").fill("192.0.2.0/24\n2001:db8::/32")
    press(signed_in, "Save")
    expect(row(signed_in, "Server")).to_contain_text("users:write")
    expect(row(signed_in, "Server")).to_contain_text("From 2 IP ranges")
    expect(row(signed_in, "Server")).to_contain_text("Jan 31, 2035")
    wait_until(lambda: status_of(signed_in, *key) == 401)
    signed_in.choose("Details", "Server")
    expect(dialog(signed_in).locator(".facts")).to_contain_text("192.0.2.0/242001:db8::/32")


def test_an_edit_of_the_name_keeps_the_limits(signed_in: Console) -> None:
    signed_in.create_app("Kept limits")
    limits = KeyLimits(permissions=("read",), expires_at=int(time.time()) + 86_400 * 5)
    request = KeyRequest(limits=limits, display_name="Server")
    operations = signed_in.account.operations
    operations.create_key(OwnerType.APP, signed_in.app_id(), request)
    signed_in.page.get_by_role("tab", name="Settings").click()
    signed_in.page.reload()
    signed_in.sign_in_again()
    signed_in.page.get_by_role("tab", name="API keys").click()
    signed_in.choose("Edit", "Server")
    dialog(signed_in).get_by_label("Name").fill("Server 2")
    press(signed_in, "Save")
    expect(row(signed_in, "Server 2")).to_contain_text("Read only")
    [key] = operations.list_keys(signed_in.app_id())
    assert key.limits == limits


@pytest.mark.parametrize(("preset", "days"), [("30 days", 30), ("90 days", 90), ("1 year", 365)])
def test_a_preset_shows_the_date_on_which_the_key_expires(
    preset: str, days: int, signed_in: Console
) -> None:
    signed_in.create_app(f"Expires in {preset}")
    signed_in.page.get_by_role("button", name="Create key").first.click()
    dialog(signed_in).get_by_label("Name").fill("Server")
    dialog(signed_in).get_by_label("Expiration", exact=True).select_option(label=preset)
    year = time.strftime("%Y", time.localtime(time.time() + days * 86_400))
    expect(dialog(signed_in).locator("#expiresAt-hint")).to_contain_text(f", {year}, ")
    press(signed_in, "Create key")
    signed_in.keep_secret()
    expect(row(signed_in, "Server")).to_be_visible()
    [key] = signed_in.account.operations.list_keys(signed_in.app_id())
    assert key.limits.expires_at is not None
    assert abs(key.limits.expires_at - key.created_at - days * 86_400) < PATIENCE_SECONDS


def test_a_key_is_bound_to_an_integration(signed_in: Console) -> None:
    signed_in.create_app("Integrated")
    signed_in.page.get_by_role("tab", name="Integrations").click()
    signed_in.page.get_by_role("button", name="Create key").first.click()
    dialog(signed_in).get_by_label("Name").fill("CRM")
    press(signed_in, "Create key")
    expect(dialog(signed_in).locator("#integrationId-error")).to_contain_text("24 characters")
    dialog(signed_in).get_by_label("Integration ID").fill(INTEGRATION_ID)
    press(signed_in, "Create key")
    key_id, secret = signed_in.keep_secret()
    assert key_id.startswith("int_")
    expect(row(signed_in, "CRM")).to_contain_text(INTEGRATION_ID)
    users = f"{signed_in.account.url}/v2/apps/{signed_in.app_id()}/users"
    wait_until(lambda: httpx.get(users, auth=(key_id, secret)).status_code == 200)


@pytest.fixture(scope="module")
def asking(browser: Browser, account: Account) -> Iterator[Console]:
    """Return a console that asks for the limits of a new key, which no test gets."""
    with new_console(browser, account) as console:
        console.sign_in()
        console.create_app("Wrong limit")
        console.page.get_by_role("button", name="Create key").first.click()
        dialog(console).get_by_label("Name").fill("Server")
        yield console


@pytest.mark.parametrize(
    ("ranges", "error"),
    [
        ("192.0.2.300", "is not an IP range"),
        ("192.0.2.0/24\n192.0.2.7/24", "Line 2: 192.0.2.7/24 is an address inside a range."),
        ("192.0.2.0/33", "at most /32"),
        ("2001:db8::/129", "at most /128"),
        ("2001:db8::1/32", "without host bits"),
        ("\n".join(f"192.0.2.{n}" for n in range(9)), "at most 8"),
    ],
    ids=["no address", "host bits", "IPv4 prefix", "IPv6 prefix", "the API's word", "too many"],
)
def test_an_error_is_at_its_field(ranges: str, error: str, asking: Console) -> None:
    dialog(asking).get_by_label("Allowed IP ranges").fill(ranges)
    press(asking, "Create key")
    expect(dialog(asking).locator("#allowedCidrs-error")).to_contain_text(error)
    expect(dialog(asking).get_by_label("Allowed IP ranges")).to_be_focused()


def test_what_is_missing_is_shown_once_the_button_is_pressed(signed_in: Console) -> None:
    signed_in.create_app("Missing")
    signed_in.page.get_by_role("button", name="Create key").first.click()
    before = len(signed_in.requests)
    press(signed_in, "Create key")
    expect(dialog(signed_in).locator("#displayName-error")).to_have_text("Enter a name.")
    assert [r.url for r in signed_in.requests[before:] if r.method == "POST"] == []


def test_a_key_is_deleted_once_its_name_is_typed(signed_in: Console) -> None:
    signed_in.create_app("Deleted key")
    key = signed_in.create_key("Server")
    signed_in.choose("Delete", "Server")
    confirm = dialog(signed_in).get_by_role("button", name="Delete key")
    expect(confirm).to_be_disabled()
    signed_in.page.get_by_label("Type Server to confirm").fill("Server")
    confirm.click()
    expect(signed_in.page.get_by_text("No API keys")).to_be_visible()
    wait_until(lambda: status_of(signed_in, *key) == 401)


def test_a_deleted_app_takes_its_keys_along(signed_in: Console) -> None:
    signed_in.create_app("Deleted app")
    app_id = signed_in.app_id()
    key = signed_in.create_key("Server")
    signed_in.page.get_by_role("tab", name="Settings").click()
    signed_in.page.get_by_role("button", name="Delete app").click()
    signed_in.page.get_by_label("Type Deleted app to confirm").fill("Deleted app")
    press(signed_in, "Delete app")
    signed_in.page.wait_for_selector("h1:has-text('Apps')")
    expect(signed_in.page.locator("#status")).to_have_text("App “Deleted app” deleted.")
    url = f"{signed_in.account.url}/v2/apps/{app_id}/users"
    wait_until(lambda: httpx.get(url, auth=key).status_code == 401)


def test_an_app_is_renamed_in_its_settings(signed_in: Console) -> None:
    signed_in.create_app("Old name")
    signed_in.page.get_by_role("tab", name="Settings").click()
    signed_in.page.get_by_label("Name").fill("New name")
    signed_in.page.get_by_role("button", name="Save").click()
    expect(signed_in.page.locator("h1")).to_have_text("New name")
    expect(signed_in.page.locator("#status")).to_have_text("Name saved.")


def test_a_service_account_gets_a_key_that_signs_in_by_its_secret_alone(
    signed_in: Console,
) -> None:
    page = signed_in.page
    signed_in.go_to("Service accounts")
    page.get_by_role("button", name="Create service account").first.click()
    dialog(signed_in).get_by_label("Name").fill("Partner")
    press(signed_in, "Create")
    page.wait_for_selector("h1:has-text('Partner')")
    key_id, secret = signed_in.create_key("Deployer")
    page.get_by_role("button", name="Sign out").click()
    page.fill("#secret", secret)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#banner")).to_contain_text(key_id)
    signed_in.go_to("Service accounts")
    expect(page.locator("main")).to_contain_text("Sign in with an account key")


def test_service_accounts_that_the_stack_does_not_serve_say_so(signed_in: Console) -> None:
    signed_in.page.route(
        "**/v1.1/serviceaccounts?*", lambda route: route.fulfill(status=403, body="{}")
    )
    signed_in.go_to("Service accounts")
    expect(signed_in.page.locator(".alert")).to_contain_text("does not serve")


def test_apps_are_found_by_a_part_of_their_name(signed_in: Console) -> None:
    for name in ("Blue whale", "Red whale", "Zebra"):
        signed_in.account.operations.create_app(signed_in.account.account_id, name)
    signed_in.go_to("Policy lens")
    signed_in.go_to("Apps")
    signed_in.page.get_by_label("Search").fill("whale")
    expect(signed_in.page.locator(".count")).to_have_text(re.compile(r"^2 of \d+ apps$"))
    expect(signed_in.page.locator("tbody tr")).to_have_count(2)


def test_an_external_id_is_shown_and_found(signed_in: Console) -> None:
    account = signed_in.account
    name = ExternalName("green-whale")
    account.operations.create_named_app(account.account_id, "Fish", None, name)
    page = signed_in.page
    signed_in.go_to("Policy lens")
    signed_in.go_to("Apps")
    page.get_by_label("Search").fill("Green-W")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody")).to_contain_text("External ID green-whale")
    page.get_by_role("link", name="Fish").click()
    page.get_by_role("tab", name="Settings").click()
    expect(page.locator("dd", has_text="green-whale")).to_be_visible()


@pytest.mark.parametrize(
    ("permissions", "sentence"),
    [
        ((), "does not serve Keyscope's management routes"),
        (("users:write",), "limited to permissions that do not include the list of apps"),
    ],
    ids=["the map lacks Keyscope's routes", "the key lacks the permission"],
)
def test_a_key_that_does_not_reach_the_apps_is_told_why(
    console: Console, permissions: tuple[str, ...], sentence: str
) -> None:
    account = console.account
    request = KeyRequest(limits=KeyLimits(permissions=permissions or None))
    created = account.operations.create_key(OwnerType.ACCOUNT, account.account_id, request)
    console.page.route("**/v2/apps?*", lambda route: route.fulfill(status=403, body="{}"))
    console.open()
    console.page.fill("#keyId", created.key.key_id)
    console.page.fill("#secret", created.secret)
    console.page.get_by_role("button", name="Sign in").click()
    expect(console.page.locator(".alert")).to_contain_text(sentence)


def test_many_apps_are_counted_sorted_and_paged(signed_in: Console) -> None:
    page = signed_in.page

    def answer_with_a_thousand(route: Route) -> None:
        after = re.search(r"after%5D=0*(\d+)", route.request.url)
        first = int(after[1]) + 1 if after else 0
        apps = [
            {
                "id": f"{number:024d}",
                "displayName": f"Store {number}",
                "createdAt": f"2026-01-01T00:{number // 60:02d}:{number % 60:02d}Z",
                "keyCount": number % 10,
            }
            for number in range(first, first + 100)
        ]
        meta = {"hasMore": first < 900, "afterCursor": apps[-1]["id"]}
        route.fulfill(status=200, json={"apps": apps, "meta": meta, "links": {}})

    page.route(re.compile(r"/v2/apps\?"), answer_with_a_thousand)
    signed_in.go_to("Policy lens")
    signed_in.go_to("Apps")
    expect(page.locator(".count")).to_have_text("1,000 apps")
    names = page.locator("tbody th")
    expect(names.first).to_have_text("Store 999")
    page.get_by_label("Sort").select_option(label="Name")
    expect(names.nth(1)).to_have_text("Store 1")
    page.get_by_role("button", name="Next").click()
    expect(names.first).to_have_text("Store 25")
    expect(page.get_by_text("26–50 of 1,000")).to_be_visible()  # noqa: RUF001 - a range
    page.get_by_role("button", name="Previous").click()
    expect(names.first).to_have_text("Store 0")


def test_a_list_that_failed_is_loaded_again(signed_in: Console) -> None:
    page = signed_in.page
    signed_in.create_app("After a failure")
    page.route("**/v2/apps?*", lambda route: route.fulfill(status=500, json={}))
    signed_in.go_to("Apps")
    expect(page.locator(".alert")).to_contain_text("status 500")
    page.unroute("**/v2/apps?*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".count")).to_contain_text("app")
    expect(page.locator(".alert")).to_have_count(0)


def test_shortcuts_search_create_and_close(signed_in: Console) -> None:
    page = signed_in.page
    signed_in.create_app("Shortcuts")
    signed_in.go_to("Apps")
    page.get_by_label("Search").wait_for()
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.type("n")
    expect(page.get_by_label("Search")).to_have_value("n")
    page.locator("h1").focus()
    page.keyboard.press("n")
    expect(page.get_by_role("dialog", name="Create app")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_menu_of_a_key_works_with_arrows_and_returns_the_focus(signed_in: Console) -> None:
    page = signed_in.page
    signed_in.create_app("Menu")
    signed_in.create_key("Server")
    opener = page.get_by_role("button", name="Actions for Server")
    opener.focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Details")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    signed_in.choose("Disable", "Server")
    press(signed_in, "Disable")
    expect(row(signed_in, "Server").locator(".badge")).to_have_text("Disabled")
    expect(opener).to_be_focused()


def test_a_key_is_created_with_the_keyboard_alone(console: Console) -> None:
    page = console.page

    def move_to(name: str) -> None:
        focused = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.id"
        texts = "document.activeElement.textContent"
        for _ in range(40):
            if name in (page.evaluate(focused), page.evaluate(texts)):
                return
            page.keyboard.press("Tab")
        pytest.fail(f"Tab does not come to {name}")

    console.open()
    move_to("keyId")
    page.keyboard.type(console.account.key_id)
    move_to("secret")
    page.keyboard.type(console.account.secret)
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Apps')")
    move_to("Create app")
    page.keyboard.press("Enter")
    move_to("displayName")
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('By keyboard')")
    page.get_by_text("No API keys").wait_for()
    move_to("Create key")
    page.keyboard.press("Enter")
    move_to("displayName")
    page.keyboard.type("Server")
    page.keyboard.press("Enter")
    page.get_by_text("Call the API").wait_for()
    move_to("Copy the secret")
    page.keyboard.press("Enter")
    move_to("Done")
    page.keyboard.press("Enter")
    expect(row(console, "Server")).to_have_count(1)
