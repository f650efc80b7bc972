from pathlib import Path

import pytest

from keyscope_local.template.access_map_file import with_access_map
from keyscope_local.template.function_loader import FUNCTION_TYPE
from keyscope_local.template.stack import Stack, environment_of
from tests.support.stacks import stack_of

READERS = ["RestAuthorizerFunction", "HttpAuthorizerFunction", "ExplanationFunction"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path that the parameter would not take: too long, and with a space."""
    return tmp_path_factory.mktemp("a folder") / f"{'long' * 20}.toml"


@pytest.fixture(scope="module")
def stack(file: Path) -> Stack:
    return with_access_map(stack_of({"HttpApiEnabled": "true"}), file)


def test_a_file_stands_in_for_the_parameter_s_value(stack: Stack, file: Path) -> None:
    assert stack.parameters["AccessMap"] == str(file)


@pytest.mark.parametrize("function", READERS)
def test_every_function_that_reads_an_access_map_is_given_the_file(
    function: str, stack: Stack, file: Path
) -> None:
    assert environment_of(stack, function)["KEYSCOPE_ACCESS_MAP"] == str(file)


def test_no_other_setting_changes(stack: Stack) -> None:
    before = stack_of({"HttpApiEnabled": "true"})
    changed = {
        (function, name)
        for function, resource in stack.resources.items()
        if resource["Type"] == FUNCTION_TYPE
        for name, value in environment_of(before, function).items()
        if environment_of(stack, function).get(name) != value
    }
    assert changed == {
        (function, name)
        for function in READERS
        for name in ("KEYSCOPE_ACCESS_MAP", "KEYSCOPE_ROUTES")
    }


def test_its_only_route_set_applies_unless_others_are_named(stack: Stack, file: Path) -> None:
    assert environment_of(stack, "RestAuthorizerFunction")["KEYSCOPE_ROUTES"] == ""
    named = with_access_map(stack_of({"AccessMapRoutes": "orders"}), file)
    assert environment_of(named, "RestAuthorizerFunction")["KEYSCOPE_ROUTES"] == "orders"
