"""Invokes the provisioning function as an IAM caller."""

import json
from collections.abc import Mapping
from typing import Any

from keyscope_cli.aws import told_failures
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.target import Target


def provision(target: Target, request: Mapping[str, object]) -> Mapping[str, Any]:
    """Invoke the provisioning function and return its answer.

    Raises:
        Failure: it cannot be invoked, rejects the request, or fails.
    """
    client = target.aws.client("lambda")
    name = target.provisioning_function()
    with told_failures("Look at the account's keys before you try again: it may have been done."):
        response = client.invoke(FunctionName=name, Payload=json.dumps(request).encode())
        payload = response["Payload"].read()
    if "FunctionError" in response:
        message = "The provisioning function failed; nothing or all of it was done."
        advice = "Look at its log and at the account's keys before you try again."
        raise Failure(ExitStatus.UNAVAILABLE, message, advice)
    answer: Mapping[str, Any] = json.loads(payload)
    if "errors" in answer:
        titles = "; ".join(
            f"{one['field']} {one['title']} [{one['code']}]" for one in answer["errors"]
        )
        raise Failure(ExitStatus.NOT_DONE, f"Not done: {titles}")
    return answer
