"""The policy lens: what a credential says, and what the API explains of a request with it."""

import time

import jwt
import pytest
from playwright.sync_api import expect

from keyscope.explain.steps import Step
from keyscope.model.secret import new_secret
from tests.browser.conftest import Console, sent_by
from tests.support.builders import basic

pytestmark = pytest.mark.browser

APP_KEY_ID = "app_" + "0" * 24
KEY_ID = "act_" + "0" * 24
SECRET = new_secret(KEY_ID)


@pytest.fixture
def lens(console: Console) -> Console:
    console.sign_in()
    return console


def look_with_new_key(console: Console, name: str, path: str) -> tuple[str, str]:
    """Make an app with a key, and look at a request with it; `{app}` in the path is the app."""
    console.create_app(name)
    app_id = console.page.url.rpartition("/")[2]
    key = console.create_key("Server")
    console.page.get_by_role("link", name="Policy lens").click()
    console.look_through_lens(basic(*key), "GET", path.format(app=app_id))
    return key


def test_an_allowed_request_shows_the_resource_that_decided(lens: Console) -> None:
    look_with_new_key(lens, "Allowed", "/v2/apps/{app}/users")
    expect(lens.page.get_by_text("The request passes.")).to_be_visible()
    expect(lens.page.locator(".method.decided")).to_have_text("GET")


def test_a_path_outside_the_scope_fails_at_the_last_step(lens: Console) -> None:
    look_with_new_key(lens, "Outside", "/v2/apps/{app}/keys")
    expect(lens.page.locator(".steps li.failed")).to_contain_text("No statement allows")
    expect(lens.page.locator(".steps li.passed")).to_have_count(len(Step) - 1)


def test_the_paths_that_every_policy_denies_are_shown(lens: Console) -> None:
    look_with_new_key(lens, "Denied", "/v2/apps/{app}/users/../keys")
    expect(lens.page.get_by_text("Any path like")).to_contain_text("*/..*")
    expect(lens.page.locator(".panel", has_text="Statement 1")).to_contain_text("this one decided")


def test_a_strangers_key_is_as_unknown_as_one_that_is_not_there(lens: Console) -> None:
    lens.page.get_by_role("link", name="Policy lens").click()
    unknown = "act_" + "0" * 24
    lens.look_through_lens(basic(unknown, new_secret(unknown)), "GET", "/v2/apps")
    expect(lens.page.locator(".steps li.failed code")).to_have_text("unknown_key")


def test_a_token_is_read_in_the_page_before_anything_is_sent(lens: Console) -> None:
    lens.page.get_by_role("link", name="Policy lens").click()
    claims = {"scope": "appUser", "userId": "jane", "exp": int(time.time()) - 60}
    token = jwt.encode(claims, "k" * 32, "HS256", headers={"kid": "app_" + "a" * 24})
    lens.page.get_by_label("Credential").fill(f"Bearer {token}")
    read = lens.page.get_by_role("region", name="What it says")
    expect(read).to_contain_text("jane")
    expect(read.get_by_role("alert")).to_contain_text("It has expired")
    assert [request for request in lens.requests if token in sent_by(request)] == []


@pytest.mark.parametrize("kind", ["Basic", "Bearer secret"])
def test_a_secret_is_not_shown_in_the_reading(kind: str, lens: Console) -> None:
    secret = lens.account.secret
    values = {"Basic": basic(lens.account.key_id, secret), "Bearer secret": f"Bearer {secret}"}
    lens.page.get_by_role("link", name="Policy lens").click()
    lens.page.get_by_label("Credential").fill(values[kind])
    read = lens.page.get_by_role("region", name="What it says")
    expect(read).to_contain_text("has the right form")
    expect(read).to_contain_text(kind)
    expect(read).to_contain_text(lens.account.key_id)
    assert lens.account.secret not in read.inner_text()


@pytest.mark.parametrize(
    ("credential", "told"),
    [
        ("Digest x", "neither Basic nor Bearer"),
        ("Basic %%%", "not base64"),
        ("Basic a2V5", "no colon"),
        (basic(APP_KEY_ID, SECRET), "that of another key, act_"),
        (basic(KEY_ID, SECRET[:-1]), "and 49 more characters"),
        (f"Bearer {SECRET[:-1]}", "and 49 more characters"),
        ("Bearer abc", "not a JWT"),
    ],
    ids=[
        *("another scheme", "not base64", "no colon", "another key's secret", "secret cut"),
        *("Bearer secret cut", "no token"),
    ],
)
def test_what_is_wrong_by_its_looks_is_told(credential: str, told: str, lens: Console) -> None:
    lens.page.get_by_role("link", name="Policy lens").click()
    lens.page.get_by_label("Credential").fill(credential)
    expect(lens.page.get_by_role("alert")).to_contain_text(told)


def test_an_explained_request_holds_no_serious_barrier(lens: Console) -> None:
    look_with_new_key(lens, "Barriers of the lens", "/v2/apps/{app}/users")
    assert lens.barriers() == []
