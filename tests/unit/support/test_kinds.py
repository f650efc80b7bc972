from pathlib import Path

import pytest

from tests.support.kinds import KINDS, is_slow_file, kinds_of, mark_slow


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_whose_tests_are_all_of_a_slow_kind_is_slow(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(f"import pytest\n\npytestmark = pytest.mark.{kind}\n", "utf-8")
    assert is_slow_file(file)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pytestmark = pytest.mark.usefixtures('aws')\n",
        "pytestmark = pytest.mark.filterwarnings('ignore')\n",
        "@pytest.mark.browser\ndef test_it(): ...\n",
        "    pytestmark = pytest.mark.browser\n",
    ],
)
def test_any_other_file_is_collected(text: str, tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(text, "utf-8")
    assert not is_slow_file(file)


def test_a_folder_is_not_slow(tmp_path: Path) -> None:
    assert not is_slow_file(tmp_path)


@pytest.mark.parametrize(
    ("fixture", "kinds"),
    [("built", ["build"]), ("dynamodb_local", ["dynamodb_local"]), ("tmp_path", [])],
)
def test_a_costly_fixture_makes_a_test_slow(
    fixture: str, kinds: list[str], request: pytest.FixtureRequest
) -> None:
    item = pytest.Function.from_parent(request.node.parent, name="other", callobj=lambda: None)
    item.fixturenames[:] = [fixture]
    mark_slow([item])
    assert kinds_of(item) == kinds
    assert (item.get_closest_marker("slow") is not None) == bool(kinds)
