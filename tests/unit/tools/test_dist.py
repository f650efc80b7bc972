"""What a release ships: archives that depend on their content only, and its bill of materials."""

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import jsonschema_rs
import pytest

from tools.dist.archives import copied_sources, write_archive
from tools.dist.bill_of_materials import (
    Archive,
    Package,
    bill_of_materials,
    packages_in,
    with_carriers,
)

VECTORS: Final = Path(__file__).parents[2] / "vectors"
FILES: Final = {"python/b.py": "b", "python/a/__init__.py": "", "app.py": "a"}


def folder_of(files: Mapping[str, str], folder: Path) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def archive_of(folder: Path) -> bytes:
    target = folder.with_suffix(".zip")
    write_archive(folder, target)
    return target.read_bytes()


def test_an_archive_depends_on_names_and_contents_alone(tmp_path: Path) -> None:
    one = folder_of(FILES, tmp_path / "one")
    other = folder_of(dict(reversed(FILES.items())), tmp_path / "elsewhere" / "other")
    for path in other.rglob("*.py"):
        path.chmod(0o600)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    assert archive_of(one) == archive_of(other)


def test_an_archive_holds_the_files_sorted_and_readable_by_everyone(tmp_path: Path) -> None:
    folder = folder_of(FILES, tmp_path / "one")
    archive_of(folder)
    with ZipFile(folder.with_suffix(".zip")) as archive:
        assert {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()} == (
            dict.fromkeys(sorted(FILES), 0o100644)
        )
        assert {name: archive.read(name).decode() for name in archive.namelist()} == FILES


def test_an_archive_follows_no_link_out_of_its_folder(tmp_path: Path) -> None:
    folder = folder_of(FILES, tmp_path / "one")
    (folder / "link").symlink_to("/etc/hostname")
    with pytest.raises(ValueError, match="symbolic link"):
        archive_of(folder)


def test_sources_are_copied_without_what_python_leaves_beside_them(tmp_path: Path) -> None:
    source = folder_of({**FILES, "python/__pycache__/b.cpython-311.pyc": "x"}, tmp_path / "one")
    copied_sources(source, tmp_path / "copy")
    copied = {
        str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*.py*")
    }
    assert copied == set(FILES)


def schema_of(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((VECTORS / f"{name}.schema.json").read_text("utf-8"))
    return schema


def faults(document: Mapping[str, object]) -> list[str]:
    """Return what the schema of CycloneDX 1.6 finds wrong."""
    referred = [schema_of(name) for name in ("spdx", "jsf-0.82")]
    registry = jsonschema_rs.Registry([(each["$id"], each) for each in referred])
    validator = jsonschema_rs.validator_for(schema_of("bom-1.6"), registry=registry)
    return [error.message for error in validator.iter_errors(document)]


ARCHIVES: Final = (
    Archive("functions-echo.zip", sha256(b"1").hexdigest(), []),
    Archive(
        "layers-any.zip",
        sha256(b"2").hexdigest(),
        [
            Package("PyJWT", "2.15.1", "MIT"),
            Package("typing_extensions", "4.16.0", None, "PSF"),
            Package("unknown", "1"),
        ],
    ),
    Archive("layers-other.zip", sha256(b"3").hexdigest(), [Package("PyJWT", "2.15.1", "MIT")]),
)


def test_a_bill_of_materials_is_cyclonedx() -> None:
    assert faults(bill_of_materials("0.2.0", ARCHIVES)) == []


def test_the_schema_of_cyclonedx_finds_what_is_wrong() -> None:
    document = bill_of_materials("0.2.0", ARCHIVES)
    components = [{**document["components"][0], "type": "archive"}]
    assert faults({**document, "components": components}) != []


def test_a_bill_of_materials_says_which_package_is_in_which_archive() -> None:
    document = bill_of_materials("0.2.0", ARCHIVES)
    jwt, typing = "pkg:pypi/pyjwt@2.15.1", "pkg:pypi/typing-extensions@4.16.0"
    assert {each["ref"]: each["dependsOn"] for each in document["dependencies"]} == {
        "pkg:pypi/keyscope@0.2.0": ["functions-echo.zip", "layers-any.zip", "layers-other.zip"],
        "functions-echo.zip": [],
        "layers-any.zip": [jwt, typing, "pkg:pypi/unknown@1"],
        "layers-other.zip": [jwt],
    }
    references = [each["bom-ref"] for each in document["components"]]
    assert sorted(references) == sorted(set(references))
    licenses = {each["bom-ref"]: each.get("licenses") for each in document["components"]}
    assert licenses[jwt] == [{"expression": "MIT"}]
    assert licenses[typing] == [{"license": {"name": "PSF"}}]
    assert licenses["pkg:pypi/unknown@1"] == []


def test_the_same_archives_have_the_same_bill_and_others_another_serial_number() -> None:
    document = bill_of_materials("0.2.0", ARCHIVES)
    assert bill_of_materials("0.2.0", ARCHIVES) == document
    assert bill_of_materials("0.2.0", ARCHIVES[:1])["serialNumber"] != document["serialNumber"]


def test_the_bill_of_a_release_names_the_wheel_and_that_it_carries_each_archive() -> None:
    wheel = Archive("keyscope-0.2.0-py3-none-any.whl", sha256(b"4").hexdigest(), [])
    own = bill_of_materials("0.2.0", ARCHIVES)
    document = with_carriers(own, [wheel])
    assert faults(document) == []
    assert document["serialNumber"] != own["serialNumber"]
    depends = {each["ref"]: each["dependsOn"] for each in document["dependencies"]}
    assert depends["pkg:pypi/keyscope@0.2.0"] == [wheel.name]
    assert depends[wheel.name] == [archive.name for archive in ARCHIVES]
    assert {each["bom-ref"] for each in document["components"]} == depends.keys() - {
        "pkg:pypi/keyscope@0.2.0"
    } | {each["bom-ref"] for each in own["components"]}


def test_the_packages_of_a_layer_are_read_from_their_metadata(tmp_path: Path) -> None:
    layer = folder_of(
        {
            "python/new-1.dist-info/METADATA": (
                "Metadata-Version: 2.4\nName: new\nVersion: 1\nLicense-Expression: MIT\n"
            ),
            "python/old-2.dist-info/METADATA": (
                "Metadata-Version: 2.1\nName: old\nVersion: 2\nLicense: BSD\n"
            ),
            "python/keyscope/__init__.py": "",
        },
        tmp_path,
    )
    assert packages_in(layer) == [
        Package("new", "1", "MIT"),
        Package("old", "2", None, "BSD"),
    ]
