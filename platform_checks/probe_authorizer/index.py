"""An authorizer that answers as its caller's script says; callers need the run's token."""

import base64
import hmac
import json
import math
import os
from collections.abc import Mapping

_TOKEN = os.environ["PROBE_TOKEN"]
_USAGE_KEY = os.environ["USAGE_KEY"]
_UNAUTHORIZED = "Unauthorized"
_PADDING = 300
"""Characters of a resource that only makes the policy longer; IAM accepts 512."""


def handler(event: Mapping[str, object], context: object) -> object:  # noqa: ARG001 - Lambda's
    """Answer as the script in `X-Probe-Script` says, and return what the event contained."""
    headers = _members(event, "headers")
    given = {name.lower(): str(value) for name, value in headers.items()}
    if not hmac.compare_digest(given.get("x-probe-token", ""), _TOKEN):
        raise _Told(_UNAUTHORIZED)
    script = json.loads(base64.urlsafe_b64decode(given["x-probe-script"]))
    if "error" in script:
        raise _Told(script["error"])
    arn = str(event.get("methodArn") or event["routeArn"])
    answer = {
        "principalId": "probe",
        "policyDocument": _policy(script, "/".join(arn.split("/", 2)[:2])),
        "context": {
            "name": script["name"],
            "arn": arn,
            "path": event.get("path") or event["rawPath"],
            "note": given.get("x-probe-note", ""),
            "source": _source_address(event),
            **script.get("context", {}),
        },
    }
    if script.get("usage"):
        answer["usageIdentifierKey"] = _USAGE_KEY
    return answer


class _Told(Exception):  # noqa: N818 - what it is
    """An error that the script requested; API Gateway reads only the message."""


def _policy(script: Mapping[str, object], stage: str) -> object:
    resources = ["*"]
    statement = {
        "Effect": script.get("effect", "Allow"),
        "Action": "execute-api:Invoke",
        "Resource": resources,
    }
    if "condition" in script:
        statement["Condition"] = script["condition"]
    more = [
        {**statement, "Resource": [f"{stage}/GET/{number}"]}
        for number in range(1, int(str(script.get("statements", 1))))
    ]
    patterns = script.get("denyPaths")
    if isinstance(patterns, list):
        api = stage.partition("/")[0]
        denied = [f"{api}/{pattern}" for pattern in patterns]
        more.append({**statement, "Effect": "Deny", "Resource": denied})
    document = {"Version": "2012-10-17", "Statement": [statement, *more]}
    left = int(str(script.get("bytes", 0))) - len(json.dumps(document))
    count = math.ceil(left / _PADDING)
    for number in range(count):
        # 4 bytes of each are quotes, comma and space.
        length = left // count + (left % count if number == 0 else 0) - 4
        resources.append(f"{stage}/GET/{number}/".ljust(length, "p"))
    return document


def _source_address(event: Mapping[str, object]) -> object:
    context = _members(event, "requestContext")
    place = _members(context, "identity") or _members(context, "http")
    return place["sourceIp"]


def _members(value: Mapping[str, object], name: str) -> Mapping[str, object]:
    members = value.get(name)
    return members if isinstance(members, dict) else {}
