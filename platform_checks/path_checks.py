"""How API Gateway passes the path, the method and repeated headers to an authorizer."""

from collections.abc import Callable
from typing import Final

from keyscope_local.gateway.api_definition import ApiKind
from platform_checks.facts import Observation, unknown, yes_or_no
from platform_checks.subject import Subject

_OK = 200
_TAIL: Final = 3
"""The path in a method ARN starts after API, stage and method."""


def path_decoded(subject: Subject, kind: ApiKind) -> Observation:
    """Request a path with an encoded slash and star, and read the path that functions see."""
    answer = subject.apis[kind].ask({"name": "first"}, target="/a%2Fb%2Ac")
    path = str(answer.context.get("path"))
    return _either(path, "/a/b*c", "/a%2Fb%2Ac", [answer.evidence])


def arn_decoded(subject: Subject, kind: ApiKind) -> Observation:
    """Request a path with an encoded slash and star, and read the method ARN."""
    return _arn_of(subject, kind, "/a%2Fb%2Ac", "a/b*c", "a%2Fb%2Ac")


def decoded_characters(subject: Subject, kind: ApiKind) -> Observation:
    """Request a path with an encoded TAB and question mark, and read the path and the method ARN.

    URL parsers delete a TAB and cut at a question mark.
    """
    answer = subject.apis[kind].ask({"name": "first"}, target="/a%09b%3Fc")
    path, arn = str(answer.context.get("path")), _path_of(answer.context.get("arn"))
    if answer.status != _OK or "%" in path or "%" in arn or not arn.startswith("a"):
        return unknown(f"answered {answer.status}, not decoded", [answer.evidence])
    detail = f"the path is {path!r}, the method ARN ends in {arn!r}"
    holds = (path, arn) == ("/a\tb?c", "a\tb?c")
    return yes_or_no(holds=holds, detail=detail, evidence=[answer.evidence])


def arn_inner_slashes(subject: Subject, kind: ApiKind) -> Observation:
    """Request a path with two slashes inside."""
    return _arn_of(subject, kind, "/a//b", "a//b", "a/b")


def arn_trailing_slash(subject: Subject, kind: ApiKind) -> Observation:
    """Request a path with a slash at its end."""
    return _arn_of(subject, kind, "/a/b/", "a/b/", "a/b")


def arn_dot_segments(subject: Subject, kind: ApiKind) -> Observation:
    """Request a path with dot segments (RFC 3986, section 5.2.4)."""
    return _arn_of(subject, kind, "/a/./b/../c", "a/./b/../c", "a/c")


def arn_is_path(subject: Subject, kind: ApiKind) -> Observation:
    """Request a path of a route that is a pattern."""
    return _arn_of(subject, kind, "/items/1", "items/1", "{proxy+}")


def method_override(subject: Subject, kind: ApiKind) -> Observation:
    """Send a GET whose header says DELETE, and read the method ARN."""
    override = [("x-http-method-override", "DELETE")]
    answer = subject.apis[kind].ask({"name": "first"}, headers=override)
    method = str(answer.context.get("arn")).split("/")[_TAIL - 1 :][:1]
    told = {"DELETE": True, "GET": False}.get(method[0] if method else "")
    if told is None:
        return unknown(f"answered {answer.status}, without a method ARN", [answer.evidence])
    detail = f"the method ARN says {method[0]}"
    return yes_or_no(holds=told, detail=detail, evidence=[answer.evidence])


def trailing_slash(subject: Subject, kind: ApiKind) -> Observation:
    """Request paths that end in a slash, under a pattern and a literal route; deny, then allow."""
    api = subject.apis[kind]
    targets = ("/any/path/", "/exact/")
    answers = [api.ask({"name": "no", "effect": "Deny"}, target=target) for target in targets]
    answers += [api.ask({"name": "first"}, target=target) for target in targets]
    evidence = [each.evidence for each in answers]
    reached = [each for each in answers if each.status == _OK]
    if not reached:
        return unknown("no path with a trailing slash reached the backend", evidence)
    unguarded = sum(each.name != "first" for each in reached)
    detail = f"{unguarded} of {len(reached)} requests that reached the backend were not authorized"
    return yes_or_no(holds=unguarded == 0, detail=detail, evidence=evidence)


def repeated_header_is(value: str) -> Callable[[Subject, ApiKind], Observation]:
    """Return the check of the value seen for a header that is sent as `one` and `two`."""

    def repeated_header(subject: Subject, kind: ApiKind) -> Observation:
        """Send a header twice, and read what the authorizer sees under its name."""
        twice = [("x-probe-note", "one"), ("x-probe-note", "two")]
        answer = subject.apis[kind].ask({"name": "first"}, headers=twice)
        seen = str(answer.context.get("note")).replace(", ", ",")
        return yes_or_no(
            holds=seen == value, detail=f"seen as {seen!r}", evidence=[answer.evidence]
        )

    return repeated_header


def _arn_of(subject: Subject, kind: ApiKind, target: str, if_yes: str, if_no: str) -> Observation:
    answer = subject.apis[kind].ask({"name": "first"}, target=target)
    return _either(_path_of(answer.context.get("arn")), if_yes, if_no, [answer.evidence])


def _path_of(arn: object) -> str:
    return "/".join(str(arn).split("/")[_TAIL:])


def _either(seen: str, if_yes: str, if_no: str, evidence: list[str]) -> Observation:
    if seen in (if_yes, if_no):
        return yes_or_no(holds=seen == if_yes, detail=f"seen as {seen}", evidence=evidence)
    return unknown(f"seen as {seen or 'nothing'}", evidence)
