"""The shortest way through the console, which `make test` takes."""

from playwright.sync_api import expect

from tests.browser.conftest import Console, status_of


def test_a_created_key_calls_the_api(signed_in: Console) -> None:
    signed_in.create_app("Calls the API")
    assert status_of(signed_in, *signed_in.create_key("Server")) == 200
    row = signed_in.page.get_by_role("row", name="Server")
    expect(row.get_by_role("cell").nth(1)).to_have_text("Active")
    assert signed_in.complaints == []
