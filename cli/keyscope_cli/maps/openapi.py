"""The operations of an OpenAPI document (3.x) or a Swagger document (2.0), in YAML or JSON."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

import yaml

from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.maps.map_file import text_of

SCOPES_EXTENSION: Final = "x-keyscope-scopes"
"""The member of an operation, a path or the document that names the callers it is for."""
_METHODS: Final = ("get", "head", "post", "put", "patch", "delete", "options", "trace")


class Operation(NamedTuple):
    """One operation.

    `names` are the names in its security requirements, or in `x-keyscope-scopes`, or `None` if the
    document says nothing about who may call it. `is_public` says that it needs no credential.
    """

    method: str
    path: str
    name: str
    names: frozenset[str] | None
    is_public: bool


@dataclass(frozen=True, slots=True)
class ApiDescription:
    """An API's title and version, and its operations in the order of the document."""

    title: str
    operations: tuple[Operation, ...]


def read_api_description(file: Path) -> ApiDescription:
    """Read the operations of a document.

    Raises:
        Failure: it is neither OpenAPI nor Swagger, or an operation cannot be read.
    """
    text = text_of(file)
    try:
        # YAML 1.1 does not contain all of JSON: it refuses escaped surrogates.
        document: object = json.loads(text) if text.lstrip().startswith("{") else _of_yaml(text)
    except (ValueError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())
        raise Failure(ExitStatus.USAGE, f"{file} contains neither YAML nor JSON: {why}.") from None
    return _Reader(file).description(document)


def _of_yaml(text: str) -> object:
    return yaml.load(text, yaml.CSafeLoader)


@dataclass(frozen=True, slots=True)
class _Reader:
    file: Path

    def description(self, document: object) -> ApiDescription:
        members = self._members(document, "The document")
        if not {"openapi", "swagger"} & members.keys():
            self._refuse("The document", "has neither `openapi` nor `swagger`")
        info = self._members(members.get("info", {}), "info")
        title = " ".join(str(info[name]) for name in ("title", "version") if name in info)
        return ApiDescription(title, tuple(self._operations(members)))

    def _operations(self, document: Mapping[str, object]) -> Iterator[Operation]:
        for path, value in self._members(document.get("paths", {}), "paths").items():
            item = self._members(value, path)
            if "$ref" in item:
                self._refuse(path, "is a reference ($ref); replace it with the operations")
            if not path.startswith("/"):
                self._refuse(path, "does not start with a slash")
            for method in _METHODS:
                if method in item:
                    where = f"{method.upper()} {path}"
                    operation = self._members(item[method], where)
                    yield self._operation(where, operation, [operation, item, document])

    def _operation(
        self, where: str, operation: Mapping[str, object], levels: list[Mapping[str, object]]
    ) -> Operation:
        method, _, path = where.partition(" ")
        name = str(operation.get("operationId", ""))
        named = [each[SCOPES_EXTENSION] for each in levels if SCOPES_EXTENSION in each]
        if named:
            return Operation(method, path, name, self._names(where, named[0]), is_public=False)
        secured = [each["security"] for each in (levels[0], levels[-1]) if "security" in each]
        if not secured:
            return Operation(method, path, name, None, is_public=False)
        requirements = self._list(where, secured[0])
        schemes = [self._members(each, f"{where}: security") for each in requirements]
        names = frozenset[str]().union(
            *(self._names(where, scopes) for scheme in schemes for scopes in scheme.values())
        )
        return Operation(method, path, name, names, is_public=not all(schemes) or not schemes)

    def _names(self, where: str, value: object) -> frozenset[str]:
        names = self._list(where, value)
        return frozenset(
            name if isinstance(name, str) else self._not_names(where) for name in names
        )

    def _not_names(self, where: str) -> NoReturn:
        self._refuse(where, "lists a scope that is not a string")

    def _list(self, where: str, value: object) -> list[object]:
        if not isinstance(value, list):
            self._refuse(where, f"has a `security` or `{SCOPES_EXTENSION}` that is not a list")
        return value

    def _members(self, value: object, where: str) -> Mapping[str, object]:
        if not isinstance(value, dict):
            self._refuse(where, "is not an object")
        return {str(name): member for name, member in value.items()}

    def _refuse(self, where: str, reason: str) -> NoReturn:
        raise Failure(ExitStatus.USAGE, f"{self.file}: {where} {reason}.")
