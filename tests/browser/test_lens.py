"""The policy lens: what a credential says, and what the API explains of a request with it."""

import json
import time
from collections.abc import Iterator

import jwt
import pytest
from playwright.sync_api import Browser, expect

from keyscope.explain.steps import Step
from keyscope.model.secret import new_secret
from tests.browser.conftest import Account, Console, new_console, sent_by
from tests.support.builders import basic

pytestmark = pytest.mark.browser

APP_KEY_ID = "app_" + "0" * 24
KEY_ID = "act_" + "0" * 24
SECRET = new_secret(KEY_ID)


@pytest.fixture
def lens(console: Console) -> Console:
    console.sign_in()
    return console


@pytest.fixture(scope="module")
def reader(browser: Browser, account: Account) -> Iterator[Console]:
    """Return the lens, signed in, for tests that only have a credential read in the page."""
    with new_console(browser, account) as console:
        console.sign_in()
        console.go_to("Policy lens")
        yield console


@pytest.fixture
def empty(reader: Console) -> Console:
    """Return the lens with no credential and nothing said of the last one."""
    reader.page.locator("#credential").fill("")
    expect(reader.page.locator(".alert")).to_have_count(0)
    expect(reader.page.get_by_role("region", name="Decoded credential")).to_have_count(0)
    return reader


def look_with_new_key(console: Console, name: str, path: str) -> tuple[str, str]:
    """Make an app with a key, and look at a request with it; `{app}` in the path is the app."""
    console.create_app(name)
    app_id = console.app_id()
    key = console.create_key("Server")
    console.go_to("Policy lens")
    console.look_through_lens(basic(*key), "GET", path.format(app=app_id))
    return key


def test_an_allowed_request_shows_the_resource_that_decided(lens: Console) -> None:
    look_with_new_key(lens, "Allowed", "/v2/apps/{app}/users")
    expect(lens.page.get_by_text("The authorizer allows this request.")).to_be_visible()
    expect(lens.page.locator(".method.decided")).to_have_text("GET")


def test_a_path_outside_the_scope_fails_at_the_last_step(lens: Console) -> None:
    look_with_new_key(lens, "Outside", "/v2/apps/{app}/keys")
    expect(lens.page.locator(".steps li.failed")).to_contain_text("No statement allows")
    expect(lens.page.locator(".steps li.passed")).to_have_count(len(Step) - 1)


def test_the_paths_that_every_policy_denies_are_shown(lens: Console) -> None:
    look_with_new_key(lens, "Denied", "/v2/apps/{app}/users/../keys")
    expect(lens.page.get_by_text("Any path like")).to_contain_text("*/..*")
    statement = lens.page.locator(".statement", has_text="Statement 1")
    expect(statement).to_contain_text("Decided")


def test_a_strangers_key_is_as_unknown_as_one_that_is_not_there(lens: Console) -> None:
    lens.go_to("Policy lens")
    unknown = "act_" + "0" * 24
    lens.look_through_lens(basic(unknown, new_secret(unknown)), "GET", "/v2/apps")
    expect(lens.page.locator(".steps li.failed code").first).to_have_text("unknown_key")


def test_a_token_is_read_in_the_page_before_anything_is_sent(lens: Console) -> None:
    lens.go_to("Policy lens")
    claims = {"scope": "appUser", "userId": "jane", "exp": int(time.time()) - 60}
    token = jwt.encode(claims, "k" * 32, "HS256", headers={"kid": "app_" + "a" * 24})
    lens.page.locator("#credential").fill(f"Bearer {token}")
    read = lens.page.get_by_role("region", name="Decoded credential")
    expect(read).to_contain_text("jane")
    expect(read.get_by_role("alert")).to_contain_text("The token has expired")
    assert [request for request in lens.requests if token in sent_by(request)] == []


@pytest.mark.parametrize("kind", ["Basic", "Bearer secret"])
def test_a_secret_is_not_shown_in_the_reading(kind: str, empty: Console) -> None:
    secret = empty.account.secret
    values = {"Basic": basic(empty.account.key_id, secret), "Bearer secret": f"Bearer {secret}"}
    empty.page.locator("#credential").fill(values[kind])
    read = empty.page.get_by_role("region", name="Decoded credential")
    expect(read).to_contain_text("Well-formed")
    expect(read).to_contain_text(kind)
    expect(read).to_contain_text(empty.account.key_id)
    assert empty.account.secret not in read.inner_text()


@pytest.mark.parametrize(
    ("credential", "told"),
    [
        ("Digest x", "neither Basic nor Bearer"),
        ("Basic %%%", "not base64"),
        ("Basic a2V5", "no colon"),
        (basic(APP_KEY_ID, SECRET), "belongs to another key, act_"),
        (basic(KEY_ID, SECRET[:-1]), "and 49 more characters"),
        (f"Bearer {SECRET[:-1]}", "and 49 more characters"),
        ("Bearer abc", "nor a JWT"),
    ],
    ids=[
        *("another scheme", "not base64", "no colon", "another key's secret", "secret cut"),
        *("Bearer secret cut", "no token"),
    ],
)
def test_what_is_wrong_by_its_looks_is_told(credential: str, told: str, empty: Console) -> None:
    empty.page.locator("#credential").fill(credential)
    expect(empty.page.locator(".alert")).to_contain_text(told)


def test_advice_shows_code_instead_of_backticks(lens: Console) -> None:
    look_with_new_key(lens, "Advised", "/v2/apps/{app}/keys")
    advice = lens.page.locator(".advice")
    expect(advice.locator("code").first).to_be_visible()
    assert "`" not in advice.inner_text()


def test_advice_for_the_operator_comes_with_an_explanation_to_send(lens: Console) -> None:
    _, secret = look_with_new_key(lens, "Operated", "/v2/apps/{app}/keys")
    lens.page.get_by_role("button", name="Copy the explanation").click()
    copied = lens.page.evaluate("navigator.clipboard.readText()")
    assert json.loads(copied)["answer"] == "403"
    assert secret not in copied


def test_a_key_in_the_list_leads_to_the_lens(lens: Console) -> None:
    lens.create_app("To the lens")
    app_id = lens.app_id()
    key_id, _ = lens.create_key("Server")
    lens.choose("Explain request", "Server")
    expect(lens.page.locator("#credential-hint")).to_contain_text(key_id)
    expect(lens.page.get_by_label("Path")).to_have_value(f"/v2/apps/{app_id}/users")


def test_an_explained_request_holds_no_barrier(lens: Console) -> None:
    look_with_new_key(lens, "Barriers of the lens", "/v2/apps/{app}/users")
    assert lens.barriers() == []
