"""What people do with keys in the console, against the real API behind it."""

import re
import time
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import expect

from keyscope.lifecycle.external_ids import ExternalName
from keyscope.lifecycle.operations import KeyRequest
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from keyscope_local.tour.seed import INTEGRATION_ID
from tests.browser.conftest import Console, status_of
from tests.support.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.browser


def wait_until(holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert holds()


def test_the_secret_is_shown_once(signed_in: Console) -> None:
    signed_in.create_app("Shown once")
    _, secret = signed_in.create_key("Server")
    expect(signed_in.page.locator(".card")).to_have_count(1)
    assert secret not in signed_in.page.content()


def test_escape_does_not_lose_the_secret(signed_in: Console) -> None:
    signed_in.create_app("Escape")
    signed_in.ask_for_key("Server")
    for _ in range(3):
        signed_in.page.keyboard.press("Escape")
    signed_in.keep_secret()


def test_the_copy_button_copies_the_secret(signed_in: Console) -> None:
    signed_in.create_app("Copied")
    signed_in.ask_for_key("Server")
    signed_in.page.get_by_role("button", name="Copy the secret").click()
    copied = signed_in.page.evaluate("navigator.clipboard.readText()")
    assert copied == signed_in.keep_secret()[1]


def test_a_rotated_key_takes_both_secrets_and_counts_down(signed_in: Console) -> None:
    signed_in.create_app("Rotated")
    key_id, old = signed_in.create_key("Server")
    signed_in.page.get_by_role("button", name="Rotate Server").click()
    signed_in.page.get_by_label("Overlap").select_option(label="1 hour")
    signed_in.page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    _, new = signed_in.keep_secret()
    expect(signed_in.page.get_by_role("timer")).to_have_text(re.compile("minutes"))
    assert [status_of(signed_in, key_id, secret) for secret in (old, new)] == [200, 200]


def test_an_ended_overlap_refuses_the_old_secret(signed_in: Console) -> None:
    signed_in.create_app("Overlap ended")
    key_id, old = signed_in.create_key("Server")
    signed_in.page.get_by_role("button", name="Rotate Server").click()
    signed_in.page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    signed_in.keep_secret()
    signed_in.page.get_by_role("button", name="End the overlap of Server").click()
    signed_in.page.get_by_role("button", name="End it now").click()
    expect(signed_in.page.get_by_role("timer")).to_have_count(0)
    wait_until(lambda: status_of(signed_in, key_id, old) == 401)


def test_a_disabled_key_is_refused_until_it_is_enabled(signed_in: Console) -> None:
    signed_in.create_app("Disabled")
    key = signed_in.create_key("Server")
    signed_in.page.get_by_role("button", name="Disable Server").click()
    signed_in.page.get_by_role("dialog").get_by_role("button", name="Disable").click()
    expect(signed_in.page.locator(".badge")).to_have_text("disabled")
    wait_until(lambda: status_of(signed_in, *key) == 401)
    signed_in.page.get_by_role("button", name="Enable Server").click()
    expect(signed_in.page.locator(".badge")).to_have_text("active")
    wait_until(lambda: status_of(signed_in, *key) == 200)


def test_a_key_is_limited_to_networks_and_time(signed_in: Console) -> None:
    signed_in.create_app("Limited")
    key = signed_in.create_key("Server")
    signed_in.page.get_by_role("button", name="Change Server").click()
    signed_in.page.get_by_label("Expires").fill("2035-01-31T12:00")
    signed_in.page.get_by_label("Works from").fill("192.0.2.0/24\n2001:db8::/32")
    signed_in.page.get_by_text("Available permissions").click()
    expect(signed_in.page.get_by_role("dialog")).to_contain_text(
        "users:write Create, change and delete"
    )
    signed_in.page.get_by_label("Permissions").fill("read users:write")
    signed_in.page.get_by_role("button", name="Save").click()
    expect(signed_in.page.locator(".facts")).to_contain_text("192.0.2.0/24, 2001:db8::/32")
    expect(signed_in.page.locator(".facts")).to_contain_text("read, users:write")
    expect(signed_in.page.locator(".facts")).to_contain_text("2035")
    wait_until(lambda: status_of(signed_in, *key) == 401)


def test_a_key_is_bound_to_an_integration(signed_in: Console) -> None:
    signed_in.create_app("Integrated")
    key_id, secret = signed_in.create_key("CRM", INTEGRATION_ID)
    assert key_id.startswith("int_")
    expect(signed_in.page.locator(".facts")).to_contain_text(INTEGRATION_ID)
    app_id = signed_in.page.url.rpartition("/")[2]
    users = f"{signed_in.account.url}/v2/apps/{app_id}/users"
    wait_until(lambda: httpx.get(users, auth=(key_id, secret)).status_code == 200)


def test_what_is_wrong_with_a_limit_is_told_where_it_was_typed(signed_in: Console) -> None:
    signed_in.create_app("Wrong limit")
    signed_in.create_key("Server")
    signed_in.page.get_by_role("button", name="Change Server").click()
    signed_in.page.get_by_label("Works from").fill("192.0.2.300")
    signed_in.page.get_by_role("button", name="Save").click()
    expect(signed_in.page.get_by_role("alert")).to_contain_text("must be a network")


def test_a_key_is_deleted_once_its_name_is_typed(signed_in: Console) -> None:
    signed_in.create_app("Deleted key")
    key = signed_in.create_key("Server")
    signed_in.page.get_by_role("button", name="Delete Server").click()
    confirm = signed_in.page.get_by_role("dialog").get_by_role("button", name="Delete key")
    expect(confirm).to_be_disabled()
    signed_in.page.get_by_label("Type Server to confirm").fill("Server")
    confirm.click()
    expect(signed_in.page.get_by_text("There is no key yet")).to_be_visible()
    wait_until(lambda: status_of(signed_in, *key) == 401)


def test_a_deleted_app_takes_its_keys_along(signed_in: Console) -> None:
    signed_in.create_app("Deleted app")
    app_id = signed_in.page.url.rpartition("/")[2]
    key = signed_in.create_key("Server")
    signed_in.page.get_by_role("button", name="Delete app").click()
    signed_in.page.get_by_label("Type Deleted app to confirm").fill("Deleted app")
    signed_in.page.get_by_role("dialog").get_by_role("button", name="Delete app").click()
    signed_in.page.wait_for_selector("h1:has-text('Apps')")
    url = f"{signed_in.account.url}/v2/apps/{app_id}/users"
    wait_until(lambda: httpx.get(url, auth=key).status_code == 401)


def test_a_service_account_gets_a_key_that_signs_in(signed_in: Console) -> None:
    page = signed_in.page
    page.get_by_role("link", name="Service accounts").click()
    page.get_by_role("button", name="Create service account").click()
    page.get_by_label("Name").fill("Partner")
    page.get_by_role("dialog").get_by_role("button", name="Create service account").click()
    page.wait_for_selector("h1:has-text('Partner')")
    key_id, secret = signed_in.create_key("Deployer")
    page.get_by_role("button", name="Sign out").click()
    page.fill("#keyId", key_id)
    page.fill("#secret", secret)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#banner")).to_contain_text(key_id)


def test_apps_are_found_by_a_part_of_their_name(signed_in: Console) -> None:
    for name in ("Blue whale", "Red whale", "Zebra"):
        signed_in.account.operations.create_app(signed_in.account.account_id, name)
    signed_in.page.get_by_label("Search").fill("whale")
    expect(signed_in.page.get_by_text("2 apps found.")).to_be_visible()
    expect(signed_in.page.locator("tbody tr")).to_have_count(2)


def test_an_external_id_is_shown_and_found(signed_in: Console) -> None:
    account = signed_in.account
    name = ExternalName("green-whale")
    app, _ = account.operations.create_named_app(account.account_id, "Fish", None, name)
    page = signed_in.page
    page.get_by_label("Search").fill("Green-W")
    expect(page.get_by_text("1 app found.")).to_be_visible()
    expect(page.get_by_role("columnheader")).to_have_text(
        ["Name", "App id", "External id", "Created by"]
    )
    expect(page.locator("tbody code")).to_have_text([app.owner_id, "green-whale"])
    page.get_by_role("link", name="Fish").click()
    page.get_by_role("tab", name="Details").click()
    expect(page.locator("dd", has_text="green-whale")).to_be_visible()


@pytest.mark.parametrize(
    ("permissions", "sentence"),
    [
        ((), "add management to the stack's parameter AccessMapRoutes"),
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
    expect(console.page.get_by_role("alert")).to_contain_text(sentence)


def test_apps_come_in_pages(signed_in: Console) -> None:
    for number in range(26):
        signed_in.account.operations.create_app(signed_in.account.account_id, f"Page {number}")
    signed_in.page.get_by_role("link", name="Service accounts").click()
    signed_in.page.get_by_role("link", name="Apps", exact=True).click()
    expect(signed_in.page.locator("tbody tr")).to_have_count(25)
    ids = signed_in.page.locator("tbody code")
    first = ids.all_inner_texts()
    signed_in.page.get_by_role("button", name="Next").click()
    expect(ids.first).not_to_have_text(first[0])
    assert not {*first} & {*ids.all_inner_texts()}
    signed_in.page.get_by_role("button", name="Previous").click()
    expect(ids).to_have_text(first)


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
    move_to("Create key")
    page.keyboard.press("Enter")
    move_to("displayName")
    page.keyboard.type("Server")
    page.keyboard.press("Enter")
    page.get_by_text("Try it").wait_for()
    move_to("I have kept the secret")
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(1)
