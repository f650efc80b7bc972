"""What the template watches: metrics of alarms and of the dashboard, and saved queries."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, cast

from keyscope_local.template.intrinsics import Json
from keyscope_local.template.stack import Stack

_QUOTED: Final = re.compile(r'"[^"]*"')
_WORD: Final = re.compile(r"(?<![\w.])@?[a-z_][\w.]*(?!\w*\()", re.IGNORECASE)
_KEYWORDS: Final = frozenset(
    ["and", "or", "in", "as", "by", "asc", "desc", "filter", "fields", "stats", "sort", "limit"]
)


@dataclass(frozen=True)
class Metric:
    """A metric with one set of dimensions, which CloudWatch keeps apart from every other set."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


def of_type(stack: Stack, kind: str) -> dict[str, Json]:
    return {
        name: cast("Json", resource["Properties"])
        for name, resource in stack.resources.items()
        if resource["Type"] == kind
    }


def alarms(stack: Stack) -> dict[str, Json]:
    return of_type(stack, "AWS::CloudWatch::Alarm")


def metrics_of_alarm(alarm: Mapping[str, Any]) -> list[Metric]:
    """Return the metrics that an alarm stands on, be it directly or by an expression."""
    if "MetricName" in alarm:
        return [_metric(alarm)]
    return [_metric(one["MetricStat"]["Metric"]) for one in alarm["Metrics"] if "MetricStat" in one]


def _metric(members: Mapping[str, Any]) -> Metric:
    dimensions = [(each["Name"], each["Value"]) for each in members.get("Dimensions", [])]
    return Metric(members["Namespace"], members["MetricName"], frozenset(dimensions))


def widgets(stack: Stack) -> list[Mapping[str, Any]]:
    (dashboard,) = of_type(stack, "AWS::CloudWatch::Dashboard").values()
    found: list[Mapping[str, Any]] = json.loads(str(dashboard["DashboardBody"]))["widgets"]
    return found


def rows(stack: Stack) -> Iterator[list[Any]]:
    for widget in widgets(stack):
        yield from widget["properties"]["metrics"]


def metrics_of_dashboard(stack: Stack) -> list[Metric]:
    return [_row(row) for row in rows(stack) if isinstance(row[0], str)]


def _row(row: list[Any]) -> Metric:
    namespace, name, *rest = [part for part in row if isinstance(part, str)]
    return Metric(namespace, name, frozenset(zip(rest[::2], rest[1::2], strict=True)))


def emitted_metrics(lines: Iterable[Mapping[str, Any]]) -> set[Metric]:
    """Return what CloudWatch makes of lines in its embedded metric format."""
    return {
        Metric(
            directive["Namespace"],
            metric["Name"],
            frozenset((dimension, line[dimension]) for dimension in dimensions),
        )
        for line in lines
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", [])
        for dimensions in directive["Dimensions"]
        for metric in directive["Metrics"]
        if metric["Name"] in line
    }


def filtered_metrics(stack: Stack) -> set[Metric]:
    """Return the metrics that metric filters make of log lines."""
    return {
        Metric(made["MetricNamespace"], made["MetricName"], frozenset())
        for each in of_type(stack, "AWS::Logs::MetricFilter").values()
        for made in cast("list[dict[str, str]]", each["MetricTransformations"])
    }


def fields_of(query: str) -> set[str]:
    """Return the fields that a query reads, without those that it makes itself."""
    code = _QUOTED.sub("", query)
    made = set(re.findall(r"\bas (\w+)", code))
    return set(_WORD.findall(code)) - _KEYWORDS - made


def values_of(query: str) -> set[tuple[str, str]]:
    """Return the fields that a query compares with a text, and the texts."""
    lists = re.findall(r"(\w[\w.]*) in \[([^\]]*)\]", query)
    pairs = re.findall(r'(\w[\w.]*) = "([^"]*)"', query)
    pairs += [(name, text) for name, texts in lists for text in re.findall(r'"([^"]*)"', texts)]
    return {(name, text) for name, text in pairs if not text.isupper()}


def flat(line: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the members of a log line under the names that queries know them by."""
    members: dict[str, Any] = {}
    for name, value in line.items():
        members |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {}
        members[f"{prefix}{name}"] = value
    return members


def matches(pattern: str, line: Mapping[str, Any]) -> bool:
    """Return whether a filter pattern for JSON finds a line: alternatives, joined by `&&`.

    CloudWatch Logs user guide, "Filter pattern syntax".
    """
    clauses = pattern.strip().removeprefix("{").removesuffix("}").split("&&")
    members = flat(line)
    return all(
        any(_holds(term.strip(), members) for term in clause.strip(" ()").split("||"))
        for clause in clauses
    )


def _holds(term: str, members: Mapping[str, Any]) -> bool:
    found = re.fullmatch(r'\$\.([\w.]+)\s+(!?=)\s+"([^"]*)"', term)
    assert found, term
    value = members.get(found[1])
    equal = value is not None and fnmatchcase(str(value), found[3])
    return equal if found[2] == "=" else value is not None and not equal
