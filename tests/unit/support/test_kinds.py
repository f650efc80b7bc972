from pathlib import Path

import pytest

from tests.support.kinds import (
    KIND_OF_FIXTURE,
    KINDS,
    LOAD,
    NOT_SLOW,
    SLOW_BUT_NO_LOAD,
    has_none_of,
    kinds_of,
    mark_slow,
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_whose_tests_are_all_of_a_slow_kind_is_slow(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(f"import pytest\n\npytestmark = pytest.mark.{kind}\n", "utf-8")
    assert has_none_of(NOT_SLOW, file)


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
    assert not has_none_of(NOT_SLOW, file)


@pytest.mark.parametrize("selected", [NOT_SLOW, SLOW_BUT_NO_LOAD, LOAD, ""])
def test_a_folder_is_always_collected(selected: str, tmp_path: Path) -> None:
    assert not has_none_of(selected, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        *(f"@pytest.mark.{kind}\ndef test_it(): ...\n" for kind in KINDS),
        *(f"def test_it({fixture}: Path): ...\n" for fixture in KIND_OF_FIXTURE),
    ],
)
def test_a_file_that_names_a_kind_or_its_fixture_is_collected_for_slow_tests(
    text: str, tmp_path: Path
) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(text, "utf-8")
    assert not has_none_of(SLOW_BUT_NO_LOAD, file)


def test_a_file_beside_costly_fixtures_is_collected_for_slow_tests(tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text("def test_it(store: Store): ...\n", "utf-8")
    (tmp_path / "conftest.py").write_text("def store(dynamodb_local): ...\n", "utf-8")
    assert not has_none_of(SLOW_BUT_NO_LOAD, file)


def test_other_files_are_not_collected_for_slow_tests(tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text("def test_it_is_built(tmp_path: Path): ...\n", "utf-8")
    assert has_none_of(SLOW_BUT_NO_LOAD, file)
    assert not has_none_of("", file)


@pytest.mark.parametrize("kind", KINDS)
def test_only_files_with_loads_are_collected_for_them(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(f"@pytest.mark.{kind}\ndef test_it(): ...\n", "utf-8")
    assert has_none_of(LOAD, file) == (kind != LOAD)


def test_a_slow_test_that_would_not_be_found_is_an_error(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    item = pytest.Function.from_parent(request.node.parent, name="other", callobj=lambda: None)
    item.path = tmp_path / "test_it.py"
    item.path.write_text("from marks import all_slow\n", "utf-8")
    item.add_marker("browser")
    with pytest.raises(pytest.UsageError, match="names no kind"):
        mark_slow([item])


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
