import json
from pathlib import Path

import pytest

from keyscope_cli.credential_input import authorization, held_key
from keyscope_cli.failures import Failure
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


SESSION = {
    name: {"key_id": key.key_id, "secret": key.secret}
    for name, key in (("account_key", make_key()), ("app_key", KEY))
}


@pytest.mark.parametrize("name", SESSION)
def test_a_local_stacks_session_file_is_a_credential_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / "session.json"
    file.write_text(json.dumps({**SESSION, "rest_api": "http://127.0.0.1:3000"}), "utf-8")
    key = held_key(file, None, name)
    assert key is not None
    assert {"key_id": key.key_id, "secret": key.secret} == SESSION[name]
    assert key.source == str(file)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        "nope",
        '{"id": "x", "secret": "y"}',
        '{"account_key": {"key_id": 1}}',
    ],
)
def test_a_file_without_a_key_says_which_files_have_one(text: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text(text, "utf-8")
    with pytest.raises(Failure) as failed:
        held_key(file, None)
    assert failed.value.message == f"{file} does not contain a key."
    assert "session file" in failed.value.advice


def test_the_source_of_a_key_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY.key_id}:{KEY.secret}\n", "utf-8")
    monkeypatch.setenv("KEYSCOPE_SECRET", KEY.secret)
    found = [held_key(file, None), held_key(None, KEY.key_id)]
    assert [key.source for key in found if key] == [str(file), "KEYSCOPE_SECRET"]
