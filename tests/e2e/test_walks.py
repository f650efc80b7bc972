"""The pages that a reader follows step by step, walked in an empty folder.

The files, the access map, the session and the keys are in the folder, and the commands are those of
the page.
"""

from pathlib import Path
from typing import Final

import pytest

from tests.support.attachments import REST, is_for_authorizers_only, permissions, sam_resources
from tests.support.documents import ROOT, fences
from tests.support.lint import complaints
from tests.support.walks import Differs, shows, walk

pytestmark = pytest.mark.processes

FIRST_KEY: Final = "docs/tutorials/start.md"
TUTORIAL: Final = "docs/tutorials/own-api.md"
API_GATEWAY_KEYS: Final = "docs/how-to/migrate-from-api-gateway-keys.md"
WALKED: Final = {
    FIRST_KEY: 6,
    TUTORIAL: 10,
    API_GATEWAY_KEYS: 4,
    "docs/how-to/migrate-from-your-own-authorizer.md": 3,
}
"""The pages, and how many outputs each shows."""


@pytest.mark.parametrize(("page", "outputs"), WALKED.items(), ids=WALKED)
def test_each_step_of_a_page_does_what_the_page_shows(
    page: str, outputs: int, tmp_path: Path
) -> None:
    assert walk((ROOT / page).read_text("utf-8"), tmp_path) == outputs


def template_of(page: str) -> str:
    (template,) = [
        fence.text for fence in fences((ROOT / page).read_text("utf-8")) if fence.language == "yaml"
    ]
    return template


@pytest.mark.parametrize("page", [page for page in WALKED if page != FIRST_KEY])
def test_the_template_of_a_page_passes_cfn_lint(page: str) -> None:
    assert complaints(template_of(page)) == []


@pytest.mark.parametrize("page", [TUTORIAL, API_GATEWAY_KEYS])
def test_the_template_of_a_page_lets_the_api_invoke_the_authorizer(page: str) -> None:
    found = permissions(sam_resources(template_of(page)))
    assert list(found) == [REST]
    assert is_for_authorizers_only(found[REST])


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ("```sh\necho 200\n```\n\n```text\n403\n```\n", "403"),
        ("```sh\necho 200\nfalse\n```\n", "fails with status 1"),
        ("```sh\nfalse\ntrue\n```\n", "fails with status 1"),
        ("```sh\nexit 3\n```\n", "the shell, which ended"),
        ("```sh\ntrue  # status 1\n```\n", "fails with status 1"),
    ],
)
def test_a_step_that_does_something_else_is_noticed(steps: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(Differs, match=told):
        walk(f"# A page\n\n{steps}", tmp_path)


def test_variables_folders_and_files_last_until_the_end_of_a_page(tmp_path: Path) -> None:
    page = (
        "Create `a/b.txt`:\n\n```text\nhello\n```\n\n```sh\ncd a\nNAME=b.txt\n```\n"
        "\n```sh\ncat $NAME\n```\n\n```text\nhello\n```\n"
    )
    assert walk(page, tmp_path) == 1
    assert (tmp_path / "a" / "b.txt").read_text("utf-8") == "hello\n"


@pytest.mark.parametrize(
    ("expected", "is_shown"),
    [
        ("one 1\ntwo", True),
        ("one …\ntwo", True),
        ("…\ntwo", True),
        ("…\none 1\n…\ntwo\n…", True),
        ("one 1", False),
        ("two", False),
        ("one 2\ntwo", False),
        ("one 1…\ntwo", False),
    ],
)
def test_dots_stand_for_what_differs_and_for_nothing_else(expected: str, *, is_shown: bool) -> None:
    assert shows(expected, "one 1\ntwo\n") is is_shown
