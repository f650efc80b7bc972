"""The standard output that the stack's functions share."""

import sys
from weakref import ref

from keyscope_local.template.function_output import FunctionOutput


def listened() -> ref[object]:
    """Run a function with a listener; return its standard output."""
    output = FunctionOutput()
    with output.told_to(lambda _: None), output.passed_on():
        return ref(sys.stdout)


def test_a_replaced_standard_output_stays_for_threads_that_still_print_to_it() -> None:
    before = sys.stdout
    replaced = listened()
    assert sys.stdout is before
    assert replaced() is not None


def test_the_next_function_uses_it_again() -> None:
    assert listened()() is listened()() is not None
