"""DynamoDB's notation of items, and its words for requests, have one place in the package."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from keyscope.aws.dynamodb.keys import OWNER_INDEX

ROOT: Final = Path(__file__).parents[5]
SHIPPED: Final = ("layers/keyscope/python/keyscope", "functions", "cli/keyscope_cli", "local")
ADAPTER: Final = ROOT / "layers/keyscope/python/keyscope/aws/dynamodb"
OUTSIDE: Final = {"answers.py": "decodes binary values for the authorizers, as botocore does"}
"""The modules outside the adapter that know the notation, and what for."""
SUPPORT: Final = {
    "contention.py": "looks for items that two transactions both write",
    "faulty_aws.py": "reads the key that an authorizer asks for",
    "items.py": "has the notation for the tests",
    "operations.py": "reads and spoils what is stored",
    "slow_commit.py": "shows items of a transaction as they were before it",
    "token_attacks.py": "sends the notation as a token's `kid`",
}
"""The modules of tests/support that know the notation, and what for."""
TYPES: Final = frozenset({"S", "N", "B", "SS", "NS", "BS", "M", "L", "BOOL", "NULL"})
"""Names of types ("AttributeValue", DynamoDB API reference)."""
WORDS: Final = frozenset(
    {
        OWNER_INDEX,
        "ConditionExpression",
        "ExpressionAttributeValues",
        "KeyConditionExpression",
        "ProjectionExpression",
        "TransactItems",
        "UpdateExpression",
    }
)


def notation_in(source: str) -> Iterator[int]:
    """Yield the lines of a module that have a typed value of an item, or a word of a request."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case (
                ast.Dict(keys=[ast.Constant(value=name)])
                | ast.Subscript(slice=ast.Constant(value=name))
            ) if name in TYPES:
                yield node.lineno
            case ast.Constant(value=word) if word in WORDS:
                yield node.lineno
            case ast.keyword(arg=word) if word in WORDS:
                yield node.value.lineno


def places(paths: Iterator[Path]) -> dict[str, list[int]]:
    found = {path.name: [*notation_in(path.read_text("utf-8"))] for path in paths}
    return {name: lines for name, lines in found.items() if lines}


def test_outside_the_adapter_one_named_module_has_the_notation() -> None:
    shipped = (path for folder in SHIPPED for path in (ROOT / folder).rglob("*.py"))
    assert {*places(path for path in shipped if path.parent != ADAPTER)} == {*OUTSIDE}


def test_the_adapter_is_found_to_have_it() -> None:
    assert {"directory_items.py", "key_items.py", "keys.py"} <= {*places(ADAPTER.glob("*.py"))}


def test_few_named_modules_of_the_tests_support_have_it() -> None:
    assert {*places((ROOT / "tests/support").glob("*.py"))} == {*SUPPORT}
