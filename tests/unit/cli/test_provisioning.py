"""What the command line says if the provisioning function fails, or does not respond."""

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ReadTimeoutError

from keyscope_cli.aws import Aws
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.provisioning import account_id_of, provision, provisioner
from keyscope_cli.target import Target

LIST = {"operation": "listAccounts"}
CREATE = {"operation": "createAccount", "displayName": "Acme"}


class Lambda:
    """Lambda whose invocations all end in the same way."""

    def __init__(self) -> None:
        self.ends: Exception | Mapping[str, Any] = {}

    def invoke(self, **_: object) -> Mapping[str, Any]:
        if isinstance(self.ends, Exception):
            raise self.ends
        return self.ends

    def answers(self, members: object) -> None:
        self.ends = {"Payload": io.BytesIO(json.dumps(members).encode())}


@pytest.fixture
def aws() -> Iterator[Lambda]:
    function = Lambda()
    with (
        patch.object(Aws, "client", return_value=function),
        patch.object(Target, "provisioning_function", return_value="provisioning"),
    ):
        yield function


@pytest.mark.parametrize(("request_", "is_maybe_done"), [(LIST, False), (CREATE, True)])
@pytest.mark.parametrize(
    "end",
    [
        ReadTimeoutError(endpoint_url="https://lambda.example"),
        {"FunctionError": "Unhandled", "Payload": io.BytesIO(b"{}")},
    ],
    ids=["no response", "a crash"],
)
def test_only_a_change_may_have_been_made(
    end: Exception | Mapping[str, Any],
    request_: Mapping[str, object],
    aws: Lambda,
    *,
    is_maybe_done: bool,
) -> None:
    aws.ends = end
    with pytest.raises(Failure) as failed:
        provisioner(Target(Aws()), "provisioning")(request_)
    assert failed.value.status is ExitStatus.UNAVAILABLE
    assert ("The change may have been made." in failed.value.advice) is is_maybe_done


def test_each_error_is_a_sentence_after_the_codes(aws: Lambda) -> None:
    aws.answers(
        {
            "errors": [
                {"field": "keyId", "title": "is unknown", "code": "not_found"},
                {"field": "name", "title": "is too long. Shorten it.", "code": "bad_request"},
            ]
        }
    )
    with pytest.raises(Failure) as failed:
        provision(Target(Aws()), CREATE)
    assert failed.value.message == (
        "Request rejected (not_found, bad_request): keyId is unknown. name is too long. Shorten it."
    )
    assert "keyscope account keys list" in failed.value.advice


def test_an_external_id_that_no_account_has_is_named(aws: Lambda) -> None:
    aws.answers({"errors": [{"field": "accountExternalId", "title": "x", "code": "not_found"}]})
    with pytest.raises(Failure) as failed:
        account_id_of(Target(Aws()), "acme")
    assert failed.value.message == "There is no account with the external ID 'acme'."


def test_another_error_of_the_lookup_keeps_its_own_words(aws: Lambda) -> None:
    aws.answers({"errors": [{"field": "accountExternalId", "title": "is x", "code": "x"}]})
    with pytest.raises(Failure) as failed:
        account_id_of(Target(Aws()), "acme")
    assert failed.value.message == "Request rejected (x): accountExternalId is x."
