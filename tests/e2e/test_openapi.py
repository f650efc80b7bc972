"""The management API against its own OpenAPI document, by requests that schemathesis makes up."""

import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from keyscope.access.policy import OWN_KEY_PATH
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope_local.emulators.embedded_aws import embedded_aws
from keyscope_local.invoke import provisioning_environment
from keyscope_local.running_stack import loaded_stack, served_stack
from keyscope_local.tour.seed import local_provisioning
from tests.support.dynamodb_local import empty_moto
from tests.support.stacks import stack_of
from tools.openapi import DOCS, documents

pytestmark = pytest.mark.generated
pytest_plugins = ["schemathesis.pytest.plugin"]

PARAMETERS: Final = {"AccessMapRoutes": "v2,v1.1", "KeyCacheSeconds": "0"}
EXAMPLES: Final = 10
CURSORS: Final = {"page[after]", "page[before]"}
SERVICE_ACCOUNT_PATHS: Final = "/v1.1/serviceaccounts/"

FUTURE: Final = st.dates(date(2100, 1, 1), date(2999, 1, 1)).map("{}T12:00:00Z".format)
NETWORKS: Final = st.one_of(
    st.ip_addresses(v=4).map(lambda address: f"{address}/32"),
    st.ip_addresses(v=6).map(lambda address: f"{address}/128"),
)
schemathesis.openapi.format("future", FUTURE)
schemathesis.openapi.format("network", NETWORKS)
schemathesis.openapi.format("address", st.ip_addresses().map(str))


def refined_document() -> dict[str, Any]:
    """Return the document with formats for what JSON Schema has no words for."""
    document: dict[str, Any] = json.loads((DOCS / "reference" / "openapi.json").read_text("utf-8"))
    schemas = document["components"]["schemas"]
    bodies = [name for name in schemas if re.search("Key(Create|Update)Body", name)]
    assert "AppKeyCreateBody" in bodies
    for name in bodies:
        properties = schemas[name]["properties"]
        refine(properties["expiresAt"]["anyOf"][0], "future")
        refine(properties["allowedCidrs"]["anyOf"][0]["items"], "network")
    refine(schemas["ExplainBody"]["properties"]["sourceAddress"]["anyOf"][0], "address")
    return document


def refine(text: dict[str, Any], format_: str) -> None:
    """Give a text a format in place of its pattern, by which values would be made up."""
    del text["pattern"]
    text["format"] = format_


schema = schemathesis.openapi.from_dict(refined_document())


@dataclass(frozen=True)
class Account:
    """An account behind the running gateway, and the operations to fill it with."""

    url: str
    account_id: str
    auth: tuple[str, str]
    operations: Provisioning

    def fresh_ids(self, path: str) -> dict[str, str]:
        """Make an owner of the kind that a path names, with a key; return their ids."""
        if path.startswith(SERVICE_ACCOUNT_PATHS):
            name = secrets.token_hex(8)
            owner = self.operations.create_service_account(self.account_id, name)
        else:
            owner = self.operations.create_app(self.account_id, "App")
        integration_id = secrets.token_hex(12) if "{integrationId}" in path else None
        request = KeyRequest(integration_id=integration_id)
        created = self.operations.create_key(owner.owner_type, owner.owner_id, request)
        names = ("appId", "serviceAccountId", "ownerId")
        ids = {**dict.fromkeys(names, owner.owner_id), "keyId": created.key.key_id}
        return ids if integration_id is None else {**ids, "integrationId": integration_id}

    def auth_for(self, path: str) -> tuple[str, str]:
        """Return the account's key, or a fresh one where the key that is sent may end itself."""
        if path != OWN_KEY_PATH:
            return self.auth
        app = self.operations.create_app(self.account_id, "App")
        created = self.operations.create_key(OwnerType.APP, app.owner_id, KeyRequest())
        return created.key.key_id, created.secret


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, Provisioning]]:
    stack = stack_of(PARAMETERS)
    with embedded_aws(stack) as aws, loaded_stack(stack, aws) as loaded:
        operations = local_provisioning(provisioning_environment(stack, aws))
        with served_stack(loaded, 0) as running:
            yield running.urls[0], operations


@pytest.fixture
def account(served: tuple[str, Provisioning]) -> Iterator[Account]:
    url, operations = served
    owner, created = operations.create_account("Acme", KeyRequest())
    yield Account(url, owner.owner_id, (created.key.key_id, created.secret), operations)
    empty_moto()


def test_the_committed_documents_are_those_that_the_code_makes() -> None:
    made = documents()
    committed = {path: path.read_text("utf-8") for path in made}
    assert committed == made, "run: make reference"


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_operation_answers_as_the_document_says(
    case: schemathesis.Case[Any], account: Account
) -> None:
    given = case.path_parameters
    # Half of the cases name ids that exist; the others keep the ids that were made up.
    if given and len("".join(map(str, given.values()))) % 2 == 0:
        fresh = account.fresh_ids(case.path)
        case.path_parameters = {name: fresh[name] for name in given}
    listed = str(case.query.get("filter[serviceAccountId]", account.account_id))
    for name in CURSORS & case.query.keys():
        # A cursor is the id of an app that the same list can hold.
        if re.fullmatch("[0-9a-f]{24}", str(case.query[name])):
            case.query[name] = listed + case.query[name][len(listed) :]
    case.call_and_validate(base_url=account.url, auth=account.auth_for(case.path))
