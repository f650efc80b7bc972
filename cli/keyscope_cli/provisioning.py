"""The provisioning function, invoked with the AWS credentials of the person who runs a command."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from keyscope.model.ids import IdName, is_account_id
from keyscope_cli.aws import told_failures
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.id_arguments import checked_account
from keyscope_cli.target import Target


def provision(target: Target, request: Mapping[str, object]) -> Mapping[str, Any]:
    """Invoke the provisioning function and return its answer.

    Raises:
        Failure: it cannot be invoked, rejects the request, or fails.
    """
    answer = provisioner(target, target.provisioning_function())(request)
    if "errors" in answer:
        titles = "; ".join(
            f"{one['field']} {one['title']} [{one['code']}]" for one in answer["errors"]
        )
        raise Failure(ExitStatus.NOT_DONE, f"Request rejected: {titles}.", _advice(answer))
    return answer


def _advice(answer: Mapping[str, Any]) -> str:
    not_found = any(one["code"] == "not_found" for one in answer["errors"])
    return "To see all accounts, run `keyscope account list`." if not_found else ""


def account_id_of(target: Target, named: str) -> str:
    """Return the id of an account that is named by its id or its external id.

    Raises:
        Failure: it is neither, or no account has the external id.
    """
    if is_account_id(checked_account(named)):
        return named
    request = {"operation": "getByExternalId", IdName.ACCOUNT_EXTERNAL.value: named}
    return str(provision(target, request)["account"]["id"])


def provisioner(
    target: Target, function: str
) -> Callable[[Mapping[str, object]], Mapping[str, Any]]:
    """Return what invokes the provisioning function and returns its answer, errors included.

    It raises `Failure` if the function cannot be invoked or fails. Any thread may call it.
    """
    client = target.aws.client("lambda")

    def provision(request: Mapping[str, object]) -> Mapping[str, Any]:
        unanswered = (
            "The change may have been made. Check the account and its keys before you try again."
        )
        with told_failures(unanswered):
            response = client.invoke(FunctionName=function, Payload=json.dumps(request).encode())
            payload = response["Payload"].read()
        if "FunctionError" in response:
            message = "The provisioning function failed."
            advice = (
                "The change was made completely or not at all. Check the function's log, the"
                " account and its keys before you try again."
            )
            raise Failure(ExitStatus.UNAVAILABLE, message, advice)
        answer: Mapping[str, Any] = json.loads(payload)
        return answer

    return provision
