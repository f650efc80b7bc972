"""The bill of materials: which packages are in which ZIP file, in CycloneDX 1.6 (ECMA-424)."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from typing import Any, Final

_NAMESPACE: Final = uuid.UUID("8f0f4c0e-6d3b-5c59-9a0e-3f9a7c1f2b64")
"""Of the serial numbers, which follow from the content."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Package:
    """A package; its license is an SPDX expression (PEP 639), or else a name, or unknown."""

    name: str
    version: str
    license_expression: str | None = None
    license_name: str | None = None

    @property
    def purl(self) -> str:
        """The package URL, which writes PyPI's names in lowercase with hyphens."""
        return f"pkg:pypi/{self.name.lower().replace('_', '-')}@{self.version}"


@dataclass(frozen=True, slots=True)
class Archive:
    """A ZIP file, its SHA-256 in hexadecimal, and the packages in it."""

    name: str
    sha256: str
    packages: Sequence[Package]


def packages_in(folder: Path) -> Sequence[Package]:
    """Return the packages whose metadata are in a layer, by the names of their folders."""
    return [_package(PathDistribution(path)) for path in sorted(folder.rglob("*.dist-info"))]


def _package(installed: Distribution) -> Package:
    return Package(
        name=installed.metadata["Name"],
        version=installed.metadata["Version"],
        license_expression=_first(installed, "License-Expression"),
        license_name=_first(installed, "License"),
    )


def _first(installed: Distribution, header: str) -> str | None:
    found = installed.metadata.get_all(header)
    return found[0] if found else None


def bill_of_materials(version: str, archives: Sequence[Archive]) -> Json:
    """Return the document. It has no time, so that two builds of one release are equal."""
    root = f"pkg:pypi/keyscope@{version}"
    libraries = {one.purl: _library(one) for archive in archives for one in archive.packages}
    content = {
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": "keyscope",
                "version": version,
                "licenses": [{"expression": "Apache-2.0"}],
                "purl": root,
            }
        },
        "components": [
            *(_file(archive) for archive in archives),
            *(libraries[purl] for purl in sorted(libraries)),
        ],
        "dependencies": [
            {"ref": root, "dependsOn": [archive.name for archive in archives]},
            *(
                {"ref": archive.name, "dependsOn": [one.purl for one in archive.packages]}
                for archive in archives
            ),
        ],
    }
    return _document(content)


def with_carriers(bill: Json, carriers: Sequence[Archive]) -> Json:
    """Return a bill of materials that also names the files which carry all of its archives."""
    (root, *others) = bill["dependencies"]
    archives = root["dependsOn"]
    return _document(
        {
            "metadata": bill["metadata"],
            "components": [*(_file(carrier) for carrier in carriers), *bill["components"]],
            "dependencies": [
                {**root, "dependsOn": [carrier.name for carrier in carriers]},
                *({"ref": carrier.name, "dependsOn": archives} for carrier in carriers),
                *others,
            ],
        }
    )


def _document(content: Json) -> Json:
    serial = uuid.uuid5(_NAMESPACE, json.dumps(content, sort_keys=True))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        **content,
    }


def _file(archive: Archive) -> Json:
    return {
        "type": "file",
        "bom-ref": archive.name,
        "name": archive.name,
        "hashes": [{"alg": "SHA-256", "content": archive.sha256}],
    }


def _library(package: Package) -> Json:
    licenses: list[Json] = []
    if package.license_expression is not None:
        licenses = [{"expression": package.license_expression}]
    elif package.license_name is not None:
        licenses = [{"license": {"name": package.license_name}}]
    return {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "licenses": licenses,
        "purl": package.purl,
    }
