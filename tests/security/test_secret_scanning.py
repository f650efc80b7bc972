"""The rules for secret scanners find every secret, and nothing else."""

import json
import random
import re
import subprocess
import sysconfig
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest
import yaml

from keyscope.model.ids import KEY_KINDS, new_key_id
from keyscope.model.secret import new_secret

ROOT: Final = Path(__file__).parents[2]
RULES: Final = ROOT / "deploy" / "secret-scanning"
SECRETS: Final = 10_000
ONLY_IN_PYTHON: Final = re.compile(r"\(\?(?!:)|\\[1-9]|[*+?}]\+")
"""Lookaround, named groups, flags, back references and possessive quantifiers."""

GITLEAKS: Final = tomllib.loads((RULES / "gitleaks.toml").read_text("utf-8"))["rules"][0]
TRUFFLEHOG: Final = yaml.safe_load((RULES / "trufflehog.yaml").read_text("utf-8"))["detectors"][0]
GITHUB: Final = yaml.safe_load((RULES / "github.yaml").read_text("utf-8"))
GITHUB_PARTS: Final = [GITHUB[part] for part in ("before_secret", "secret_format", "after_secret")]
REGEXES: Final[Mapping[str, str]] = {
    "gitleaks": GITLEAKS["regex"],
    "trufflehog": TRUFFLEHOG["regex"]["secret"],
    # Python's \Z is what others write as \z.
    "github": "(?:{})({})(?:{})".format(*GITHUB_PARTS).replace(r"\z", r"\Z"),
}
OF_EACH_SCANNER: Final = pytest.mark.parametrize("scanner", REGEXES)
PLACES: Final[Mapping[str, Callable[[str], str]]] = {
    "Python": 'client = Client(secret="{}")\n'.format,
    "JavaScript": "const secret = '{}';\n".format,
    "environment": "export KEYSCOPE_SECRET={}\n".format,
    "YAML": "  secret: {}\n".format,
    "JSON": lambda secret: json.dumps({"id": "x", "secret": secret}) + "\n",
    "JSON in JSON": lambda secret: json.dumps({"body": f"first\n{secret}\nlast"}) + "\n",
    "query": "https://api.example.com/v2/apps?token={}&page=1\n".format,
    "query, encoded": lambda secret: f"/login?next={quote(f'/a?token={secret}', safe='')}\n",
    "user information": "https://key:{}@api.example.com/v2/apps\n".format,
    "log": "2026-11-28T12:00:00Z INFO authorization=Bearer {} status=200\n".format,
    "command": 'curl -H "Authorization: Bearer {}" https://api.example.com\n'.format,
    "end of a file": "{}".format,
}
SECRET: Final = new_secret("app_0123456789abcdef01234567")


def found(scanner: str, text: str) -> list[str]:
    return re.findall(REGEXES[scanner], text)


@pytest.fixture(scope="module")
def secrets() -> list[str]:
    numbers = random.Random(1)  # noqa: S311 - the same secrets in every run
    kinds = [*KEY_KINDS.values()]
    return [
        new_secret(new_key_id(*kinds[n % len(kinds)]), numbers.randbytes) for n in range(SECRETS)
    ]


@OF_EACH_SCANNER
@pytest.mark.parametrize("place", PLACES)
def test_every_secret_is_found(place: str, scanner: str, secrets: list[str]) -> None:
    separator = "  " if place == "end of a file" else ""
    text = separator.join(PLACES[place](secret) for secret in secrets)
    assert found(scanner, text) == secrets


def test_every_secret_holds_a_keyword_that_starts_the_search(secrets: list[str]) -> None:
    for keywords in (GITLEAKS["keywords"], TRUFFLEHOG["keywords"]):
        assert all(any(keyword in secret.lower() for keyword in keywords) for secret in secrets)


@OF_EACH_SCANNER
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SECRET[:-1], id="cut"),
        pytest.param(SECRET + "0", id="longer"),
        pytest.param(SECRET[3:], id="no prefix"),
        pytest.param(SECRET.upper(), id="capitals"),
        pytest.param(SECRET.replace("app_", "usr_"), id="another kind of owner"),
        pytest.param(SECRET[:40] + "-" + SECRET[41:], id="another character"),
        pytest.param("app_0123456789abcdef01234567", id="key id"),
        pytest.param("ks_" + "A" * 49, id="no key id"),
    ],
)
def test_nothing_else_is_found(scanner: str, text: str) -> None:
    assert found(scanner, f"'{text}'") == []


@OF_EACH_SCANNER
def test_a_regex_means_the_same_to_every_engine(scanner: str) -> None:
    assert ONLY_IN_PYTHON.search(REGEXES[scanner]) is None


def hits(files: Iterable[Path]) -> list[Path]:
    """Return the files in which any scanner finds a secret."""
    # GitHub's pattern finds no more than its secret format, which is quicker to search for.
    formats = {REGEXES["gitleaks"], REGEXES["trufflehog"], GITHUB["secret_format"]}
    regexes = [re.compile(regex.encode()) for regex in formats]
    # Every format requires these characters, and a search for them alone is quicker still.
    return [
        file
        for file in files
        if b"ks_" in (octets := file.read_bytes())
        and any(regex.search(octets) for regex in regexes)
    ]


def test_a_file_with_a_secret_is_a_hit(tmp_path: Path) -> None:
    file = tmp_path / "binary"
    file.write_bytes(b"\0\xff" + SECRET.encode() + b"\0")
    assert hits([file]) == [file]


def test_no_file_of_this_project_is_a_hit() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - git of the path
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = listed.stdout.rstrip("\0").split("\0")
    assert hits(file for name in names if (file := ROOT / name).is_file()) == []


@pytest.mark.installed
def test_no_file_of_an_installed_package_is_a_hit() -> None:
    packages = Path(sysconfig.get_path("purelib"))
    files = [file for file in packages.rglob("*") if file.is_file()]
    assert len(files) > 1_000
    assert hits(files) == []
