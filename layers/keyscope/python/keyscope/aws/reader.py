"""Chooses the client that an authorizer calls AWS with."""

import os
from collections.abc import Callable

from keyscope.aws.calls import AwsReader
from keyscope.aws.deadline import Deadlines
from keyscope.aws.lean.client import LeanClient
from keyscope.aws.lean.endpoint import UnknownSetting


def aws_reader(
    deadlines: Deadlines, tell_botocore: Callable[[str], None], *, botocore: bool = False
) -> AwsReader:
    """Return the client, whose settings come from the process's environment.

    It is botocore, which the Lambda runtime provides, if that is asked for or if the lean client
    does not know a setting. `tell_botocore` is then called with the name of the setting.
    """
    if botocore:
        tell_botocore("AwsClient")
    else:
        try:
            return LeanClient(os.environ, deadlines)
        except UnknownSetting as setting:
            tell_botocore(str(setting))
    from keyscope.aws.botocore_reader import BotocoreReader  # noqa: PLC0415 - most of a start

    return BotocoreReader(deadlines)
