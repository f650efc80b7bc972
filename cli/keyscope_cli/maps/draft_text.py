"""The text of a draft: the map itself, and expectations of what its document says."""

from collections.abc import Iterable, Iterator, Mapping
from textwrap import wrap
from typing import Final

from keyscope.access.access_map import METHODS, UNDECIDED
from keyscope_cli.maps.decisions import EXAMPLES, PLACEHOLDER
from keyscope_cli.maps.draft import (
    GRANTEES,
    ID_OF_OTHERS,
    Draft,
    DraftRule,
    known_names,
    name_of,
    toml_text,
)
from keyscope_cli.maps.openapi import ApiDescription, Operation
from keyscope_cli.output import shown

_WIDTH: Final = 96


def map_text(draft: Draft, api: ApiDescription, route_set: str) -> str:
    """Return a draft as an access map; a comment names the operations of each rule."""
    lines = [
        *_comment(
            f"A draft of the access map of {api.title}. A comment names each rule's operations."
        ),
        "",
        f"[{toml_text(route_set)}]",
    ]
    for name, grantee in GRANTEES.items():
        of_list = {rule: each for rule, each in draft.kept.items() if rule.grantee is grantee}
        if of_list:
            lines += [f"{name} = [", *_rules(of_list), "]"]
    if draft.refused or draft.unassigned:
        lines += [
            *_comment(
                "Decide these: move each rule to the list that its comment names, narrow it, or"
                " delete it. Authorizers reject the map until this list is empty."
            ),
            f"{UNDECIDED} = [",
            *_undecided(draft),
            "]",
        ]
    return "\n".join([*lines, ""])


def expectations_text(api: ApiDescription, placeholders: Mapping[str, str]) -> str:
    """Return who may call each operation as expectations, without what the document leaves open."""
    assigned = [each for each in api.operations if known_names(each) and not each.is_public]
    names = dict.fromkeys(name for each in assigned for name in PLACEHOLDER.findall(each.path))
    ids = {
        name: f"{{{placeholders[name]}}}" if name in placeholders else ID_OF_OTHERS
        for name in names
        if name not in EXAMPLES
    }
    lines = [
        *_comment(f"Who may call each operation of {api.title}, according to its document."),
        "",
    ]
    if ids:
        lines += ["[ids]", *(f"{toml_text(n)} = {toml_text(text)}" for n, text in ids.items()), ""]
    for each in assigned:
        lines += [
            "[[expect]]",
            f"request = {toml_text(f'{each.method} {each.path}')}",
            f"allow = [{', '.join(map(toml_text, known_names(each)))}]",
            "",
        ]
    return "\n".join(lines)


def _rules(rules: Mapping[DraftRule, tuple[Operation, ...]]) -> Iterator[str]:
    by_path: dict[str, list[DraftRule]] = {}
    for rule in rules:
        by_path.setdefault(rule.path, []).append(rule)
    for path, found in by_path.items():
        found.sort(key=lambda rule: METHODS.index(rule.method))
        yield from _indented(_comment(", ".join(name_of(o) for rule in found for o in rules[rule])))
        methods = ",".join(rule.method for rule in found)
        yield f"    {toml_text(f'{methods} {path}')},"


def _undecided(draft: Draft) -> Iterator[str]:
    for rule, operations in draft.refused.items():
        named = ", ".join(map(name_of, operations))
        yield from _indented(_comment(f"{rule.grantee.value}, for {named}: {draft.reasons[rule]}"))
        yield f"    {toml_text(f'{rule.method} {rule.path}')},"
    for reason in dict.fromkeys(draft.unassigned.values()):
        yield from _indented(_comment(reason))
        for operation in (each for each, why in draft.unassigned.items() if why == reason):
            text = toml_text(f"{operation.method} {operation.path}")
            yield f"    {text},  # {shown(name_of(operation))}"


def _comment(text: str) -> list[str]:
    return wrap(shown(text), _WIDTH, initial_indent="# ", subsequent_indent="# ")


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)
