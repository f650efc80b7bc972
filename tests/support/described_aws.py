"""botocore's descriptions of AWS, parsed once a process.

Each session parses them again, which takes longer than all that a test's functions do.
"""

from functools import cache
from typing import Final

from botocore.loaders import JSONFileLoader

DESCRIBED_AWS: Final = staticmethod(cache(JSONFileLoader().load_file))
"""Stands for `JSONFileLoader.load_file`."""
