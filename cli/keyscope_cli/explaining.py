"""`keyscope explain`: why a request passes or not, step by step."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, assert_never, cast

import typer

from keyscope.access.access_map import METHODS
from keyscope.errors import Reason
from keyscope.explain.explanation import RequestResult
from keyscope.explain.explanation import explain as explain_event
from keyscope.explain.request import AskedRequest, EventKind, reader_of
from keyscope_cli.credential_input import authorization
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.help_text import examples
from keyscope_cli.options import ManagementOptions, with_options
from keyscope_cli.output import Output
from keyscope_cli.presentation import with_readable_times
from keyscope_cli.target import Target

EXAMPLES = examples(
    "explain GET /v2/apps --authorization-file key.json", "explain --event event.json --local"
)
_PLACEHOLDER = re.compile(r"\{\{([a-z_ ]+)\}\}")
_REQUEST = {
    "apiKind": "API",
    "stage": "Stage",
    "method": "Method",
    "path": "Path",
    "sourceAddress": "Source address",
}
"""The labels of a request's members."""
_NOT_READ = {Reason.KEY_STORE_UNAVAILABLE.value, Reason.KMS_UNAVAILABLE.value}


@with_options(ManagementOptions)
def explain(
    options: ManagementOptions,
    method: Annotated[
        str | None, typer.Argument(metavar="METHOD", help="The request's method, such as GET.")
    ] = None,
    path: Annotated[
        str | None, typer.Argument(metavar="PATH", help="The request's path, without the stage.")
    ] = None,
    event: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Explain this authorizer event, which contains the whole request.",
        ),
    ] = None,
    authorization_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The credential to explain: a file with the value of the Authorization header, or"
            " one that --secret-file wrote. - reads standard input. Without it, Keyscope reads"
            " KEYSCOPE_AUTHORIZATION or asks for it.",
        ),
    ] = None,
    source_address: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="The IP address that sends the request."),
    ] = None,
    api: Annotated[EventKind | None, typer.Option(help="The kind of API.  [default: rest]")] = None,
    via_api: Annotated[
        bool,
        typer.Option(
            "--via-api",
            help="Let the management API explain, with your own key. --url implies it.",
        ),
    ] = False,
) -> None:
    """Explain why a request passes or fails.

    Shows each step of the authorizer, the reason code, and what to do. With --stack, Keyscope reads
    the key's record and decrypts its secret with your AWS credentials.
    """
    if event is not None:
        _check_alone(
            {
                "METHOD": method,
                "PATH": path,
                "--api": api,
                "--source-address": source_address,
                "--authorization-file": authorization_file,
                "--via-api": via_api,
                "--url": options.url,
            }
        )
        target = options.target()
        found = _as_operator(target, _read_event(event, target))
    else:
        asked = _asked(method, path, authorization_file, source_address, api or EventKind.REST)
        target = options.target()
        by_api = via_api or target.url is not None
        found = _by_api(options, asked) if by_api else _as_operator(target, asked.event())
    if options.as_json:
        options.output.json(found)
    else:
        _show(options.output, found)
    if found["answer"] != RequestResult.PASSES:
        raise typer.Exit(ExitStatus.NO)


def _check_alone(given: Mapping[str, object]) -> None:
    """Check that nothing is given beside `--event`, which contains the whole request."""
    names = [name for name, value in given.items() if value]
    if names:
        message = f"--event cannot be combined with {', '.join(names)}."
        advice = "The event contains the whole request."
        raise Failure(ExitStatus.USAGE, message, advice)


def _asked(
    method: str | None,
    path: str | None,
    authorization_file: Path | None,
    source_address: str | None,
    api: EventKind,
) -> AskedRequest:
    if api is EventKind.WEBSOCKET:
        method, path = method or "GET", path or "/"
    if method is None or path is None:
        advice = "Add both, as in `keyscope explain GET /v2/apps`, or use --event FILE."
        raise Failure(ExitStatus.USAGE, "The method or the path is missing.", advice)
    if method not in METHODS:
        advice = f"Use one of {', '.join(METHODS)}."
        raise Failure(ExitStatus.USAGE, f"There is no method {method!r}.", advice)
    if not path.startswith("/"):
        advice = "Start the path with a slash, as in /v2/apps."
        raise Failure(ExitStatus.USAGE, f"The path {path!r} is malformed.", advice)
    credential = authorization(authorization_file)
    if credential is None:
        advice = "Use --authorization-file FILE, or set KEYSCOPE_AUTHORIZATION."
        raise Failure(ExitStatus.USAGE, "The credential to explain is missing.", advice)
    return AskedRequest(credential or None, method, path, source_address, api)


def _as_operator(target: Target, event: object) -> Mapping[str, Any]:
    explanation = explain_event(event, reader_of(event), target.authorizer())
    decision = explanation.decision
    if decision.reason is not None and decision.reason.value in _NOT_READ:
        what = "key record" if decision.reason is Reason.KEY_STORE_UNAVAILABLE else "secret"
        advice = (
            "Your AWS credentials need dynamodb:GetItem on the keys table and kms:Decrypt on the"
            " KMS key. Or let the management API explain: add --via-api."
            if target.session is None
            else "Check that the local stack is running."
        )
        message = f"Cannot read the {what}: {decision.detail}."
        raise Failure(ExitStatus.UNAVAILABLE, message, advice)
    return explanation.members()


def _by_api(options: ManagementOptions, asked: AskedRequest) -> Mapping[str, Any]:
    body: dict[str, object] = {
        "credential": asked.authorization or "",
        "method": asked.method,
        "path": asked.path,
        "apiKind": asked.event_kind.value,
    }
    if asked.source_address is not None:
        body["sourceAddress"] = asked.source_address
    answer = options.client().call("POST", "/v2/explain", body)
    return cast("Mapping[str, Any]", answer["explanation"])


def _read_event(file: Path, target: Target) -> object:
    try:
        event: object = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise Failure(ExitStatus.USAGE, f"Cannot read {file}: {error.strerror}.") from None
    except ValueError:
        raise Failure(ExitStatus.USAGE, f"{file} does not contain JSON.") from None
    return _filled(event, target.session.placeholders if target.session else {})


def _filled(value: object, placeholders: Mapping[str, str]) -> object:
    match value:
        case str():
            return _PLACEHOLDER.sub(lambda found: _value(found[1], placeholders), value)
        case list():
            return [_filled(item, placeholders) for item in value]
        case dict():
            return {name: _filled(item, placeholders) for name, item in value.items()}
        case _:
            return value


def _value(name: str, placeholders: Mapping[str, str]) -> str:
    if name not in placeholders:
        advice = "The sample events contain placeholders for keys of the local stack. Add --local."
        raise Failure(ExitStatus.USAGE, f"The placeholder {{{{{name}}}}} has no value.", advice)
    return placeholders[name]


def _show(output: Output, found: Mapping[str, Any]) -> None:
    output.facts({_REQUEST.get(name, name): value for name, value in found["request"].items()})
    output.line()
    rows = [
        (
            {"not_reached": "-"}.get(step["verdict"], step["verdict"]),
            step["title"],
            with_readable_times("; ".join(filter(None, [step.get("reason"), step.get("detail")]))),
        )
        for step in found["steps"]
    ]
    output.table(("Verdict", "Step", "Found"), rows)
    output.line()
    output.prose(_sentence(RequestResult(found["answer"])), "bold")
    for step in found["steps"]:
        if "reason" in step:
            output.line(f"Reason: {step['reason']}")
        if "advice" in step:
            output.prose(f"What to do: {step['advice']}")
    for operator, limits in found.get("policy", {}).get("conditions", {}).items():
        output.prose(f"The policy has a condition: {operator} {json.dumps(limits)}.")


def _sentence(result: RequestResult) -> str:
    match result:
        case RequestResult.PASSES:
            return "The request passes."
        case RequestResult.UNAUTHORIZED:
            return "API Gateway returns 401: the credential is not valid."
        case RequestResult.FORBIDDEN:
            return "API Gateway returns 403: the policy does not allow the request."
        case RequestResult.FAILED:
            return "API Gateway returns 500: the authorizer could not decide."
        case _:
            assert_never(result)
