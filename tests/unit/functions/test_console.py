from pathlib import Path

import pytest

from functions.console.app import ASSETS, SECURITY_HEADERS, handler, read_assets

CONTEXT = {"requestContext": {"path": "/prod/console"}}


def asked(name: str, **headers: str) -> dict[str, object]:
    return {**CONTEXT, "pathParameters": {"file": name}, "headers": headers}


def test_the_bare_address_leads_to_the_page_below_the_stage() -> None:
    answer = handler({**CONTEXT, "pathParameters": None}, None)
    assert (answer["statusCode"], answer["headers"]["Location"]) == (
        302,
        "/prod/console/index.html",
    )


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_every_file_is_answered_with_its_type_and_the_security_headers(name: str) -> None:
    answer = handler(asked(name), None)
    assert answer["statusCode"] == 200
    assert answer["headers"]["Content-Type"] == ASSETS[name].media_type
    assert answer["headers"].items() >= SECURITY_HEADERS.items()


@pytest.mark.parametrize("name", ["../app.py", "app.py", "..%2fapp.py", "", "nothing.js"])
def test_what_is_not_a_file_of_the_console_is_not_found(name: str) -> None:
    assert handler(asked(name), None)["statusCode"] == 404


def test_a_file_that_the_browser_has_is_not_sent_again() -> None:
    tag = ASSETS["main.js"].tag
    answer = handler(asked("main.js", **{"If-None-Match": tag}), None)
    assert (answer["statusCode"], answer["body"]) == (304, "")


def test_a_changed_file_has_another_tag(tmp_path: Path) -> None:
    tags = set()
    for text in ("one", "two"):
        (tmp_path / "main.js").write_text(text, "utf-8")
        tags.add(read_assets(tmp_path)["main.js"].tag)
    assert len(tags) == 2


def test_the_page_holds_no_inline_script_or_style() -> None:
    page = ASSETS["index.html"].text
    assert "<style" not in page
    assert " style=" not in page
    assert "<script>" not in page
