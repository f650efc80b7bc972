"""`make audit` fails for whatever is known to be vulnerable, and where it cannot tell."""

import tomllib
from pathlib import Path
from typing import Final

from tests.support.advisories import ADVISORY, Advisories, serving
from tests.support.commands import run

ROOT: Final = Path(__file__).parents[2]
LOCKS: Final = ("uv.lock", "layers/uv.lock")


def audit(url: str) -> tuple[int, str]:
    return run(["make", "audit", f"OSV={url}"], ROOT, UV_HTTP_RETRIES="0")


def test_the_audit_fails_for_a_known_vulnerability() -> None:
    advisories = Advisories(vulnerable="pyjwt")
    with serving(advisories):
        status, output = audit(advisories.url)
    assert status != 0
    assert ADVISORY in output


def test_the_audit_asks_for_every_locked_package() -> None:
    advisories = Advisories(vulnerable="none")
    with serving(advisories):
        status, _ = audit(advisories.url)
    assert status == 0
    locks = [tomllib.loads((ROOT / path).read_text("utf-8")) for path in LOCKS]
    pinned = [each for lock in locks for each in lock["package"] if "registry" in each["source"]]
    assert advisories.asked == {(each["name"], each["version"]) for each in pinned}


def test_the_audit_fails_where_the_database_does_not_answer() -> None:
    advisories = Advisories(vulnerable="none")
    with serving(advisories):
        pass
    status, output = audit(advisories.url)
    assert status != 0
    assert "Connection refused" in output
