from pathlib import Path

import pytest

from keyscope_cli.credential_input import authorization
from tests.support.builders import make_key

KEY = make_key()
VALUES = KEY.of_each_kind(scope="app")


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_file_may_hold_an_authorization_value_of_any_kind(value: str, tmp_path: Path) -> None:
    file = tmp_path / "authorization"
    file.write_text(f"{value}\n", "utf-8")
    assert authorization(file) == value


def test_a_secret_alone_is_sent_as_bearer(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{KEY.secret}\n", "utf-8")
    assert authorization(file) == f"Bearer {KEY.secret}"
