"""What is installed and shipped is what was pinned, and no more of it than is needed."""

import json
import re
import shutil
import tomllib
import zipfile
from collections import Counter
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any, Final

import pytest

from keyscope_local.template.stack import properties_of
from tests.support.commands import run
from tests.support.profile import FULL
from tests.support.report import Report
from tests.support.stacks import stack_of

ROOT: Final = Path(__file__).parents[2]
PROJECTS: Final = (".", "layers")
"""The folders of what is locked on its own."""


def read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


LOCKS: Final = [read(ROOT / folder / "uv.lock") for folder in PROJECTS]
LOCKED: Final = [
    each
    for lock in LOCKS
    for each in lock["package"]
    if not each["source"].keys() & {"editable", "virtual"}
]

LAYERS: Final = {
    "PowertoolsLayer": "layers/powertools",
    "PydanticLayer": "layers/pydantic",
}
CONTENTS: Final = {
    "KeyscopeLayer": ({"keyscope"}, 1_150),
    "PowertoolsLayer": (
        {"aws_lambda_powertools", "jmespath", "typing_extensions.py"},
        2_500,
    ),
    "PydanticLayer": (
        {"annotated_types", "pydantic", "pydantic_core", "typing_inspection"},
        3_500,
    ),
}
"""What each layer holds, and how many kB of zip it may be."""

NOQA: Final = re.compile(r"# noqa: ([A-Z]+\d+(?:, [A-Z]+\d+)*)(?: - (\w.*))?")
SUPPRESSED: Final = {
    ("layers/keyscope/python/keyscope/errors.py", "S105"): 10,
    ("layers/keyscope/python/keyscope/explain/request.py", "S105"): 1,
    ("layers/keyscope/python/keyscope/explain/steps.py", "S105"): 2,
    ("layers/keyscope/python/keyscope/model/principal.py", "S105"): 1,
    ("layers/keyscope/python/keyscope/model/secret.py", "S105"): 1,
    ("layers/keyscope/python/keyscope/records.py", "S102"): 1,
    ("layers/keyscope/python/keyscope/aws/dynamodb/transactions.py", "S311"): 1,
    ("layers/keyscope/python/keyscope/aws/lean/client.py", "S311"): 1,
    ("local/keyscope_local/gateway/api_definition.py", "S105"): 1,
    ("local/keyscope_local/template/yaml_reader.py", "S506"): 1,
    ("local/keyscope_local/emulators/listening_program.py", "S603"): 1,
    ("local/keyscope_local/template/function_process.py", "S603"): 1,
    ("cli/keyscope_cli/credential_input.py", "S105"): 1,
    ("cli/keyscope_cli/release.py", "S607"): 1,
    ("platform_checks/local_platform.py", "S105"): 1,
    ("tools/dist/build.py", "S603"): 1,
    ("tools/dist/build.py", "S607"): 1,
    ("tools/dist/packages.py", "S603"): 1,
    ("tools/dist/wheel_hook.py", "S607"): 1,
    ("tools/outdated.py", "S603"): 1,
}
"""Every finding of ruff's security rules that is let pass, outside tests and benchmarks."""


def tampered(requirements: str) -> str:
    """Return requirements whose every hash has another first digit."""
    digits = "0123456789abcdef"
    return re.sub(
        r"(?<=sha256:).", lambda found: digits[(digits.index(found[0]) + 1) % 16], requirements
    )


def build(layer: str, folder: Path) -> tuple[int, str]:
    return run(["make", f"build-{layer}", f"ARTIFACTS_DIR={folder / 'built'}"], folder)


@pytest.mark.parametrize(("layer", "source"), LAYERS.items())
def test_a_layer_is_not_built_of_a_package_with_another_hash(
    layer: str, source: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / source, tmp_path, dirs_exist_ok=True)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(tampered(requirements.read_text()))
    status, output = run(
        ["make", f"build-{layer}", f"ARTIFACTS_DIR={tmp_path / 'built'}"], tmp_path
    )
    assert status != 0
    assert "Hash mismatch" in output


@pytest.mark.parametrize(("layer", "source"), LAYERS.items())
def test_a_layer_is_not_built_of_a_package_without_a_hash(
    layer: str, source: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / source, tmp_path, dirs_exist_ok=True)
    requirements = tmp_path / "requirements.txt"
    pinned = re.sub(r" \\\n    --hash=\S+", "", requirements.read_text())
    requirements.write_text(pinned)
    status, output = run(
        ["make", f"build-{layer}", f"ARTIFACTS_DIR={tmp_path / 'built'}"], tmp_path
    )
    assert status != 0
    assert "must have a hash" in output


def test_a_locked_package_with_another_hash_is_not_installed(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    lock = (ROOT / "uv.lock").read_text("utf-8")
    (tmp_path / "uv.lock").write_text(tampered(lock), "utf-8")
    command = ["uv", "sync", "--locked", "--only-group", "docs"]
    status, output = run(command, tmp_path, VIRTUAL_ENV="")
    assert status != 0
    assert "Hash mismatch" in output


@pytest.mark.skipif(not FULL, reason="takes 15 s; `make test-hostile` runs it")
def test_uv_with_another_hash_is_not_installed(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, tmp_path)
    requirements = (ROOT / "uv-requirements.txt").read_text()
    (tmp_path / "uv-requirements.txt").write_text(tampered(requirements))
    status, output = run(["make", ".venv/installed"], tmp_path)
    assert status != 0
    assert "DO NOT MATCH THE HASHES" in output
    assert not (tmp_path / ".venv/bin/uv").exists()


def test_every_locked_package_comes_from_pypi() -> None:
    sources = [each["source"] for each in LOCKED]
    assert sources == [{"registry": "https://pypi.org/simple"}] * len(LOCKED)


def test_every_locked_package_has_wheels_each_with_a_hash() -> None:
    assert [each["name"] for each in LOCKED if not each.get("wheels")] == []
    hashes = [wheel["hash"] for each in LOCKED for wheel in each["wheels"]]
    assert [each for each in hashes if not re.fullmatch("sha256:[0-9a-f]{64}", each)] == []


def test_no_source_distribution_is_built() -> None:
    projects = [read(ROOT / folder / "pyproject.toml") for folder in PROJECTS]
    assert [each["tool"]["uv"]["no-build"] for each in projects] == [True, True]


def test_a_release_is_a_week_old_before_it_is_locked() -> None:
    assert [each["options"]["exclude-newer-span"] for each in LOCKS] == ["P1W", "P1W"]


def test_building_the_project_itself_downloads_nothing(tmp_path: Path) -> None:
    command = ["uv", "build", "--wheel", "--offline", "--no-cache", "--out-dir", str(tmp_path)]
    status, output = run(command, ROOT)
    assert status == 0, output


@pytest.mark.parametrize("layer", CONTENTS)
def test_a_layer_holds_what_it_must_and_is_small(
    layer: str, built: Path, tmp_path: Path, report: Report
) -> None:
    folder, (packages, most_kb) = built / layer, CONTENTS[layer]
    zipped_kb = zipped_bytes(folder, tmp_path / "layer.zip") / 1_000
    names = {path.name for path in (folder / "python").iterdir()} - {"__pycache__"}
    report.row("Layers", layer=layer, holds=", ".join(sorted(packages)), zipped_kB=round(zipped_kb))
    assert {name for name in names if not name.endswith(".dist-info")} == packages
    assert zipped_kb < most_kb


@pytest.mark.parametrize("function", ["RestAuthorizerFunction", "HttpAuthorizerFunction"])
def test_an_authorizer_has_the_package_alone(function: str) -> None:
    stack = stack_of({"HttpApiEnabled": "true"})
    layers = json.dumps(properties_of(stack, function)["Layers"])
    assert re.findall(r"[A-Z]\w*Layer", layers) == ["KeyscopeLayer"]


def test_the_table_of_shipped_packages_is_right(built: Path) -> None:
    shipped = [
        PathDistribution(path).metadata
        for layer in LAYERS
        for path in (built / layer / "python").glob("*.dist-info")
    ]
    rows = {
        f"| {each['Name']} | {each['Version']} | {each['License-Expression'] or each['License']} |"
        for each in shipped
    }
    table = (ROOT / "docs/explanation/supply-chain.md").read_text("utf-8").splitlines()
    told = {line for line in table if re.match(r"\| [\w-]+ \| \d+\.", line)}
    assert told == rows


def test_every_suppressed_security_finding_is_known_and_has_a_reason() -> None:
    suppressed = [
        (path, code if reason else f"{code} without a reason")
        for path, source in sources()
        for codes, reason in NOQA.findall(source)
        for code in codes.split(", ")
        if re.fullmatch(r"S\d+", code)
    ]
    assert Counter(suppressed) == SUPPRESSED


def test_no_suppression_covers_more_than_it_names() -> None:
    broad = re.compile(r"ruff: *noqa|flake8: *noqa|nosec|noqa(?!: [A-Z]+\d+)")
    assert [path for path, source in sources() if broad.search(source)] == []


def test_ruffs_security_rules_are_on() -> None:
    lint = read(ROOT / "pyproject.toml")["tool"]["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    assert [rule for rule in lint["ignore"] if rule.startswith("S")] == []
    ignored = {
        files: [rule for rule in rules if re.match(r"S\d*$", rule)]
        for files, rules in lint["per-file-ignores"].items()
    }
    assert {files for files, rules in ignored.items() if rules} == {"tests/**"}


def sources() -> list[tuple[str, str]]:
    """Return the path and the text of each module that is neither test nor benchmark."""
    return [
        (str(path.relative_to(ROOT)), path.read_text("utf-8"))
        for folder in (
            "layers",
            "functions",
            "local",
            "cli",
            "platform_checks",
            "tools",
            "examples",
        )
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]


def zipped_bytes(folder: Path, archive: Path) -> int:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder))
    return archive.stat().st_size
