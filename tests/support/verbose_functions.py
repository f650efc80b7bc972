"""Run functions as verbosely as their environment asks, as a process of its own.

    python -m tests.support.verbose_functions GIVEN MADE

GIVEN holds events for each function, as JSON; the secrets that were made go to MADE. What the
functions write goes where Lambda would collect it.
"""

import json
import logging
import os
import re
import sys
from pathlib import Path
from typing import Any

from keyscope.authorize.answer import Unauthorized
from keyscope.authorize.event import read_rest_event
from keyscope.entry.authorizer import authorizer_handler
from keyscope.entry.management import management_handler
from keyscope.entry.provisioning import provisioning_handler
from tests.support.seeded_aws import Context


def main(given: str, made: str) -> None:
    """Run every event through its function."""
    logging.basicConfig(level=os.environ["AWS_LAMBDA_LOG_LEVEL"])
    functions: dict[str, Any] = {
        "authorizer": authorizer_handler("rest_authorizer", read_rest_event, os.environ),
        "management": management_handler(os.environ),
        "provisioning": provisioning_handler(os.environ),
    }
    answers = []
    for name, events in json.loads(Path(given).read_text("utf-8")).items():
        for event in events:
            try:
                answers.append(functions[name](event, Context()))
            except Unauthorized as refused:
                answers.append(str(refused))
    secrets = re.findall(r"ks_\w{78}", json.dumps(answers))
    Path(made).write_text(json.dumps(secrets), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
