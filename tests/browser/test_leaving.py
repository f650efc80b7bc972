"""What becomes of questions and of new secrets when the reader leaves the view behind them."""

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Dialog, Route, expect

from tests.browser.conftest import Console

pytestmark = pytest.mark.browser

MAKES_SECRET = re.compile(r"/keys(/[^/]+/rotate)?$")


@pytest.fixture
def signed_in(console: Console) -> Console:
    console.sign_in()
    return console


def ask_to_create(console: Console) -> None:
    console.page.get_by_role("button", name="Create key").first.click()
    console.page.get_by_role("dialog").get_by_label("Name").fill("Server")


def ask_to_rotate(console: Console) -> None:
    """Ask for a new secret that ends the old one at once."""
    console.create_key("Server")
    console.choose("Rotate", "Server")
    console.page.get_by_label("Overlap").select_option(label="None: end the old secret now")


QUESTIONS = pytest.mark.parametrize(
    ("name", "question"), [("Create key", ask_to_create), ("Rotate", ask_to_rotate)]
)


def answer(console: Console, name: str) -> None:
    console.page.get_by_role("dialog").get_by_role("button", name=name).click()


def held(console: Console, act: Callable[[], None]) -> Route:
    """Return what an act asks to make a secret, which goes on to the API when the test lets it."""
    routes: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST" and not routes:
            routes.append(route)
        else:
            route.continue_()

    console.page.route(MAKES_SECRET, hold)
    act()
    while not routes:
        console.page.wait_for_timeout(20)
    return routes[0]


def key_under_way(console: Console) -> Route:
    """Ask for a key, and return the request that makes it, held."""
    ask_to_create(console)
    return held(console, lambda: answer(console, "Create key"))


def go_back(console: Console) -> str:
    """Go back from an app that was just created to the list; return the app's id."""
    app_id = console.app_id()
    console.page.go_back()
    expect(console.page.locator("h1")).to_have_text("Apps")
    return app_id


def made(console: Console) -> int:
    """Return how often the page asked for a new secret."""
    return len([r for r in console.requests if r.method == "POST" and MAKES_SECRET.search(r.url)])


def status_of(console: Console, app_id: str, key: tuple[str, str]) -> int:
    return httpx.get(f"{console.account.url}/v2/apps/{app_id}/users", auth=key).status_code


def test_going_back_takes_an_open_question_away(signed_in: Console) -> None:
    signed_in.create_app("Question")
    ask_to_create(signed_in)
    go_back(signed_in)
    expect(signed_in.page.get_by_role("dialog")).to_have_count(0)


@QUESTIONS
def test_a_question_whose_view_was_left_changes_nothing(
    name: str, question: Callable[[Console], None], signed_in: Console
) -> None:
    signed_in.create_app(f"Left {name}")
    question(signed_in)
    form = signed_in.page.query_selector("dialog form")
    assert form is not None
    before = made(signed_in)
    go_back(signed_in)
    form.evaluate("form => form.dispatchEvent(new SubmitEvent('submit', {cancelable: true}))")
    signed_in.page.wait_for_timeout(500)
    assert made(signed_in) == before


@QUESTIONS
def test_a_secret_that_comes_after_its_view_was_left_is_shown(
    name: str, question: Callable[[Console], None], signed_in: Console
) -> None:
    signed_in.create_app(f"Under way {name}")
    question(signed_in)
    route = held(signed_in, lambda: answer(signed_in, name))
    app_id = go_back(signed_in)
    route.continue_()
    assert status_of(signed_in, app_id, signed_in.keep_secret()) == 200


def test_a_service_accounts_secret_that_comes_late_is_shown(signed_in: Console) -> None:
    page = signed_in.page
    signed_in.go_to("Service accounts")
    page.get_by_role("button", name="Create service account").first.click()
    page.get_by_role("dialog").get_by_label("Name").fill("Late partner")
    answer(signed_in, "Create")
    page.wait_for_selector("h1:has-text('Late partner')")
    route = key_under_way(signed_in)
    page.go_back()
    expect(page.locator("h1")).to_have_text("Service accounts")
    route.continue_()
    key = signed_in.keep_secret()
    assert httpx.get(f"{signed_in.account.url}/v2/apps", auth=key).status_code == 200


def test_a_secret_that_fails_to_come_after_its_view_was_left_is_told(signed_in: Console) -> None:
    signed_in.create_app("Fails late")
    route = key_under_way(signed_in)
    go_back(signed_in)
    route.fulfill(status=500, json={})
    expect(signed_in.page.locator("#status")).to_contain_text("may or may not have been made")


def test_the_message_of_a_view_goes_with_it(signed_in: Console) -> None:
    signed_in.create_app("Message")
    signed_in.create_key("Server")
    status = signed_in.page.locator("#status")
    expect(status).to_have_text("Key created.")
    signed_in.page.get_by_role("tab", name="Settings").click()
    expect(status).to_be_empty()


def test_going_back_leaves_a_new_secret_in_front(signed_in: Console) -> None:
    signed_in.create_app("In front")
    signed_in.ask_for_key("Server")
    app_id = go_back(signed_in)
    assert status_of(signed_in, app_id, signed_in.keep_secret()) == 200


def test_a_new_secret_that_the_browser_closes_opens_again(signed_in: Console) -> None:
    signed_in.create_app("Opens again")
    signed_in.ask_for_key("Server")
    signed_in.page.evaluate("document.querySelector('dialog').close()")
    signed_in.keep_secret()


def test_a_kept_secret_gives_the_focus_to_the_view_behind_it(signed_in: Console) -> None:
    signed_in.create_app("Focus")
    signed_in.ask_for_key("Server")
    go_back(signed_in)
    signed_in.keep_secret()
    expect(signed_in.page.get_by_role("heading", name="Apps")).to_be_focused()


def ask_on_in_the_next_view(console: Console) -> None:
    """Have a new secret come up over a question of another view."""
    route = key_under_way(console)
    go_back(console)
    console.page.get_by_role("button", name="Create app").first.click()
    route.continue_()


def test_a_secret_that_comes_over_a_question_has_its_own_name(signed_in: Console) -> None:
    signed_in.create_app("Titled")
    ask_on_in_the_next_view(signed_in)
    shown = signed_in.page.get_by_role("dialog", name="Key created")
    expect(shown.get_by_role("button", name="Done")).to_be_visible()


def test_what_was_copied_is_told_in_the_foremost_dialog(signed_in: Console) -> None:
    signed_in.create_app("Foremost")
    ask_on_in_the_next_view(signed_in)
    signed_in.page.get_by_role("button", name="Copy the secret", exact=True).click()
    expect(signed_in.page.locator("dialog[data-secret] [role=status]")).to_have_text(
        "Copied the secret."
    )


def test_what_is_under_way_cannot_be_cancelled(signed_in: Console) -> None:
    signed_in.create_app("Canceled")
    route = key_under_way(signed_in)
    expect(signed_in.page.get_by_role("button", name="Cancel")).to_be_disabled()
    for _ in range(3):
        signed_in.page.keyboard.press("Escape")
    route.continue_()
    signed_in.keep_secret()


def test_what_is_under_way_is_not_asked_for_again(signed_in: Console) -> None:
    signed_in.create_app("Once")
    route = key_under_way(signed_in)
    signed_in.page.get_by_role("dialog").get_by_label("Name").fill("Servers")
    expect(signed_in.page.locator("dialog [type=submit]")).to_be_disabled()
    route.continue_()
    signed_in.keep_secret()


def test_a_question_can_be_answered_again_after_it_failed(signed_in: Console) -> None:
    signed_in.create_app("Again")
    route = key_under_way(signed_in)
    route.fulfill(status=500, json={})
    alert = signed_in.page.locator(".alert")
    expect(alert).to_contain_text("may or may not have been made")
    answer(signed_in, "Create key")
    signed_in.keep_secret()


def stays_on_the_page(console: Console) -> str:
    """Close the page, and stay when the browser asks; return what kind of question that was."""
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    console.page.once("dialog", stay)
    console.page.close(run_before_unload=True)
    console.page.wait_for_timeout(500)
    return "".join(asked)


def test_the_browser_asks_before_a_page_goes_with_a_new_secret(signed_in: Console) -> None:
    signed_in.create_app("Page goes")
    signed_in.ask_for_key("Server")
    assert stays_on_the_page(signed_in) == "beforeunload"


def test_the_browser_asks_before_a_page_goes_with_a_change_under_way(signed_in: Console) -> None:
    signed_in.create_app("Page goes early")
    key_under_way(signed_in)
    assert stays_on_the_page(signed_in) == "beforeunload"


def test_a_page_whose_secret_was_kept_goes_without_a_question(signed_in: Console) -> None:
    signed_in.create_app("Page goes late")
    signed_in.create_key("Server")
    asked: list[str] = []

    def go(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    signed_in.page.once("dialog", go)
    with signed_in.page.expect_event("close"):
        signed_in.page.close(run_before_unload=True)
    assert asked == []


def test_being_signed_out_takes_a_new_secret_away(signed_in: Console) -> None:
    signed_in.create_app("Signed out")
    signed_in.ask_for_key("Server")
    signed_in.page.evaluate("() => { const now = Date.now; Date.now = () => now() + 16 * 60000; }")
    signed_in.page.keyboard.press("Tab")
    expect(signed_in.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert re.search(r"ks_\w{78}", signed_in.page.content()) is None


def test_a_secret_that_comes_after_signing_out_is_not_shown(signed_in: Console) -> None:
    signed_in.create_app("Out before")
    route = key_under_way(signed_in)
    go_back(signed_in)
    signed_in.page.get_by_role("button", name="Sign out").click()
    with signed_in.page.expect_response(MAKES_SECRET):
        route.continue_()
    signed_in.page.wait_for_timeout(500)
    expect(signed_in.page.get_by_role("dialog")).to_have_count(0)
