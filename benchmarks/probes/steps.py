"""The steps of Keyscope's warm handler, each by itself, for Basic and for a token.

    python -m benchmarks.probes.steps SCENARIO ROUNDS

Records, opened secrets and policies are remembered, as in a container that has seen the key. The
log line's own cost is the difference between both kinds of output and the metrics alone, which a
higher log level leaves.
"""

import base64
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.items import decoded_items
from benchmarks.timing import Step, cpu_microseconds, output_to_nowhere
from keyscope.access.policy import policy_document
from keyscope.authorize.answer import answer
from keyscope.authorize.credential import parse_credential
from keyscope.authorize.event import read_rest_event, request_id_of
from keyscope.authorize.key_cache import KeyCache
from keyscope.authorize.pipeline import Authorizer, authorize
from keyscope.authorize.verification import Circumstances, verify
from keyscope.aws.dynamodb.key_table import KeyTable
from keyscope.aws.kms_secrets import SecretOpeningBox
from keyscope.aws.telemetry import Telemetry, TelemetrySettings
from keyscope.entry.authorizer import build_authorizer, build_policies
from keyscope.entry.settings import read_authorizer_settings


class CannedClients:
    """DynamoDB's and KMS's clients over a scenario in memory."""

    def __init__(self, scenario: Mapping[str, Any]) -> None:
        """Keep the records as botocore returns them, with bytes decoded."""
        self._items = decoded_items(scenario["items"])
        self._secrets = scenario["secrets"]

    def get_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - as in AWS's API
        """Return one item."""
        return {"Item": self._items[request["Key"]["key_id"]["S"]]}

    def decrypt(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - as in AWS's API
        """Return a secret."""
        sealed = base64.b64encode(request["CiphertextBlob"]).decode()
        return {"Plaintext": self._secrets[sealed].encode()}

    query = batch_get_item = transact_write_items = encrypt = get_item


def make_authorizer(clients: CannedClients) -> Authorizer:
    """Make the pipeline of the function's own settings over canned clients."""
    settings = read_authorizer_settings(os.environ)
    return build_authorizer(
        settings,
        build_policies(settings),
        KeyCache(
            KeyTable(clients, settings.keys_table),
            time.time,
            fresh_seconds=settings.key_cache_seconds,
            stale_seconds=settings.stale_seconds,
            max_entries=settings.key_cache_entries,
        ),
        SecretOpeningBox(lambda: clients, settings.kms_key_arn, settings.key_cache_entries),
    )


def steps_of(event: object, authorizer: Authorizer, make_line: str) -> dict[str, Step]:
    """Return the steps for one event, in the order of the pipeline.

    Raises:
        ValueError: the authorizer remembers no policies, as one of production does.
    """
    rendered = authorizer.rendered
    if rendered is None:
        raise ValueError
    request = read_rest_event(event)
    credential = parse_credential(request.authorization)
    record = authorizer.keys.get(credential.key_id).record
    circumstances = Circumstances(time.time(), request.source_address)
    principal = verify(
        credential, record, lambda r: authorizer.secrets.open(r).secret, circumstances
    )
    decision = authorize(event, read_rest_event, authorizer)
    loud = Telemetry(f"loud-{make_line}", TelemetrySettings())
    quiet = Telemetry(f"quiet-{make_line}", TelemetrySettings("WARNING"))
    return {
        "read the event": lambda: read_rest_event(event),
        "parse the credential": lambda: parse_credential(request.authorization),
        "look the record up": lambda: authorizer.keys.get(credential.key_id),
        "verify": lambda: verify(
            credential, record, lambda r: authorizer.secrets.open(r).secret, circumstances
        ),
        "look the policy up": lambda: rendered.policy(
            principal, request.api_stage, circumstances.now, opens_websocket=False
        ),
        "decide: all of these": lambda: authorize(event, read_rest_event, authorizer),
        "render a policy that is not remembered": lambda: policy_document(
            principal, request.api_stage, authorizer.policies, circumstances.now
        ),
        "log and metrics": lambda: loud.record(decision, request_id_of(event), "invocation"),
        "metrics alone": lambda: quiet.record(decision, request_id_of(event), "invocation"),
        "shape the answer": lambda: answer(decision),
    }


def main(path: str, rounds: str) -> None:
    """Measure and write JSON: for each event the samples of each step, in microseconds."""
    scenario = json.loads(Path(path).read_text("utf-8"))
    with output_to_nowhere() as real:
        authorizer = make_authorizer(CannedClients(scenario))
        measured = {
            name: cpu_microseconds(
                steps_of(scenario["events"][name], authorizer, name), rounds=int(rounds)
            )
            for name in ("basic", "jwt")
        }
    os.write(real, json.dumps(measured).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
