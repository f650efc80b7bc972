"""A whole run of the canary, without an account."""

from pathlib import Path

import pytest

from platform_checks.__main__ import main
from tests.support.platform_checks import Waiting

pytestmark = pytest.mark.canary


def test_the_local_gateway_can_be_asked_without_an_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Waiting()
    monkeypatch.setattr("platform_checks.__main__.Clock", lambda **_: waiting.clock())
    assert main({"LOCAL": "1", "STATE_FOLDER": str(tmp_path)}) == 0
    (evidence,) = (tmp_path / "canary").iterdir()
    assert evidence.read_text()
