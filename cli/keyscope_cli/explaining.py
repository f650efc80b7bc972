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
from keyscope_cli.options import ManagementOptions, with_options
from keyscope_cli.output import Output
from keyscope_cli.target import Target

_PLACEHOLDER = re.compile(r"\{\{([a-z_ ]+)\}\}")
_NOT_READ = {Reason.KEY_STORE_UNAVAILABLE.value, Reason.KMS_UNAVAILABLE.value}


@with_options(ManagementOptions)
def explain(
    options: ManagementOptions,
    method: Annotated[str | None, typer.Argument(help="Such as GET.")] = None,
    path: Annotated[str | None, typer.Argument(help="What comes after the stage.")] = None,
    event: Annotated[
        Path | None,
        typer.Option(help="An authorizer event, instead of method, path, API and credential."),
    ] = None,
    authorization_file: Annotated[
        Path | None,
        typer.Option(
            help="The credential to explain: a file with the value of its Authorization header, or"
            " with a key as --secret-file writes it; - is standard input. Else"
            " KEYSCOPE_AUTHORIZATION or a prompt."
        ),
    ] = None,
    source_address: Annotated[
        str | None, typer.Option(help="Where the request comes from.")
    ] = None,
    api: Annotated[
        EventKind | None, typer.Option(help="The kind of API: rest if you leave it out.")
    ] = None,
    via_api: Annotated[
        bool,
        typer.Option(
            "--via-api",
            help="Ask the management API with your own key, as --url does.",
        ),
    ] = False,
) -> None:
    """Explain a request: each step, what was found, the reason code, and what to do.

    As the operator, it reads the key's record and opens its secret with your AWS credentials.
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
        advice = "The event contains the request and shows which kind of API sent it."
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
        advice = "Give them, as in `keyscope explain GET /v2/apps`, or --event FILE."
        raise Failure(ExitStatus.USAGE, "Method and path are missing.", advice)
    if method not in METHODS or not path.startswith("/"):
        advice = f"A method is one of {', '.join(METHODS)}; a path begins with a slash."
        raise Failure(ExitStatus.USAGE, f"{method} {path} is no request.", advice)
    credential = authorization(authorization_file)
    if credential is None:
        advice = "Give --authorization-file FILE or KEYSCOPE_AUTHORIZATION."
        raise Failure(ExitStatus.USAGE, "The credential to explain is missing.", advice)
    return AskedRequest(credential or None, method, path, source_address, api)


def _as_operator(target: Target, event: object) -> Mapping[str, Any]:
    explanation = explain_event(event, reader_of(event), target.authorizer())
    decision = explanation.decision
    if decision.reason is not None and decision.reason.value in _NOT_READ:
        what = "key record" if decision.reason is Reason.KEY_STORE_UNAVAILABLE else "secret"
        raise Failure(
            ExitStatus.UNAVAILABLE,
            f"The {what} could not be read: {decision.detail}.",
            "You need dynamodb:GetItem on the keys' table, kms:Decrypt with the key, and AWS to"
            " answer; or ask the management API with --via-api.",
        )
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
        raise Failure(ExitStatus.USAGE, f"{file} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise Failure(ExitStatus.USAGE, f"{file} is not JSON.") from None
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
        advice = "The sample events' placeholders stand for keys of a local run: give --local."
        raise Failure(ExitStatus.USAGE, f"Nothing is known for {{{{{name}}}}}.", advice)
    return placeholders[name]


def _show(output: Output, found: Mapping[str, Any]) -> None:
    output.facts(found["request"])
    output.line()
    rows = [
        (
            {"not_reached": "-"}.get(step["verdict"], step["verdict"]),
            step["title"],
            "; ".join(filter(None, [step.get("reason"), step.get("detail")])),
        )
        for step in found["steps"]
    ]
    output.table(("verdict", "step", "found"), rows)
    output.line()
    output.line(_sentence(RequestResult(found["answer"])), "bold")
    for step in found["steps"]:
        if "reason" in step:
            output.line(f"Reason: {step['reason']}")
        if "advice" in step:
            output.line(f"What to do: {step['advice']}")
    for operator, limits in found.get("policy", {}).get("conditions", {}).items():
        output.line(f"While the policy is cached, {operator} {json.dumps(limits)} holds it back.")


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
