"""The provisioning function, invoked with the AWS credentials of the person who runs a command."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from keyscope.model.ids import IdName, is_account_id
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.id_arguments import checked_account
from keyscope_cli.output import sentences

if TYPE_CHECKING:
    from keyscope_cli.target import Target

_READING: Final = ("list", "show", "get")
"""How the names of operations begin that change nothing."""
_MAYBE_DONE: Final = (
    "The change may have been made. Check the account and its keys before you try again."
)
_NOT_FOUND: Final = "not_found"
_WHERE_TO_FIND: Final[Mapping[str, str]] = {
    "accountId": "`keyscope account list` shows all accounts.",
    "keyId": "`keyscope account keys list ACCOUNT_ID` shows the account's keys.",
}
"""What to do if no account or key has an id, by the field that contains it."""


def provision(target: "Target", request: Mapping[str, object]) -> Mapping[str, Any]:
    """Invoke the provisioning function and return its answer.

    Raises:
        Failure: it cannot be invoked, rejects the request, or fails.
    """
    answer = provisioner(target, target.provisioning_function())(request)
    if "errors" in answer:
        raise _rejection(answer["errors"])
    return answer


def _rejection(errors: Sequence[Mapping[str, str]]) -> Failure:
    codes = ", ".join(dict.fromkeys(one["code"] for one in errors))
    titles = sentences(f"{one['field']} {one['title']}" for one in errors)
    not_found = {one["field"] for one in errors if one["code"] == _NOT_FOUND}
    advice = " ".join(text for field, text in _WHERE_TO_FIND.items() if field in not_found)
    return Failure(ExitStatus.NOT_DONE, f"Request rejected ({codes}): {titles}", advice)


def account_id_of(target: "Target", named: str) -> str:
    """Return the id of an account that is named by its id or its external id.

    Raises:
        Failure: it is neither, or no account has the external id.
    """
    if is_account_id(checked_account(named)):
        return named
    request = {"operation": "getByExternalId", IdName.ACCOUNT_EXTERNAL.value: named}
    answer = provisioner(target, target.provisioning_function())(request)
    if "errors" in answer:
        if answer["errors"][0]["code"] != _NOT_FOUND:
            raise _rejection(answer["errors"])
        message = f"There is no account with the external ID {named!r}."
        raise Failure(ExitStatus.NOT_DONE, message, _WHERE_TO_FIND[IdName.ACCOUNT.value])
    return str(answer["account"]["id"])


def provisioner(
    target: "Target", function: str
) -> Callable[[Mapping[str, object]], Mapping[str, Any]]:
    """Return what invokes the provisioning function and returns its answer, errors included.

    It raises `Failure` if the function cannot be invoked or fails. Any thread may call it.
    """
    from keyscope_cli.aws import told_failures

    client = target.aws.client("lambda")

    def provision(request: Mapping[str, object]) -> Mapping[str, Any]:
        is_reading = str(request["operation"]).startswith(_READING)
        with told_failures("" if is_reading else _MAYBE_DONE):
            response = client.invoke(FunctionName=function, Payload=json.dumps(request).encode())
            payload = response["Payload"].read()
        if "FunctionError" in response:
            message = "The provisioning function failed."
            advice = f"Check its log. {'' if is_reading else _MAYBE_DONE}".rstrip()
            raise Failure(ExitStatus.UNAVAILABLE, message, advice)
        answer: Mapping[str, Any] = json.loads(payload)
        return answer

    return provision
