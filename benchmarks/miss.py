"""What reading a key record costs the container: the client's own CPU time for one `GetItem`."""

import json
import random
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, cast

from benchmarks.contenders import FUNCTION, Contenders, process_environment, stack_of
from benchmarks.effort import Effort
from benchmarks.goals import READ
from benchmarks.items import decoded_items
from benchmarks.processes import run_probe
from benchmarks.results import Section, Table, joined
from benchmarks.spread import interquartile, paired_ratio
from keyscope_local.emulators.dynamodb_local import (
    DownloadFailed,
    DynamoDbLocalMissing,
    running_dynamodb_local,
)
from keyscope_local.emulators.tables import create_tables, local_client
from keyscope_local.template.stack import environment_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def measure_misses(
    contenders: Contenders, scenario: Path, endpoint_url: str, effort: Effort
) -> Section:
    """Measure it against canned answers, and against DynamoDB Local where that runs."""
    canned = _measure("canned answers", contenders, scenario, endpoint_url, effort)
    try:
        with running_dynamodb_local() as dynamodb_url:
            _fill(dynamodb_url, scenario)
            stored = _measure("DynamoDB Local", contenders, scenario, dynamodb_url, effort)
    except (DynamoDbLocalMissing, DownloadFailed) as missing:
        stored = Section(skipped=(f"Reads from DynamoDB Local: {missing}.",))
    # The canned answers stand for the client alone; DynamoDB Local also takes the CPU's caches.
    return joined([canned, Section(tables=stored.tables, skipped=stored.skipped)])


def _measure(
    store: str, contenders: Contenders, scenario: Path, endpoint_url: str, effort: Effort
) -> Section:
    clients = {"keyscope": contenders.keyscope, "boto3": contenders.peer}
    samples: dict[str, list[float]] = {client: [] for client in clients}
    chooser = random.Random(1)  # noqa: S311 - an order, no secret
    for _ in range(effort.warm_rounds):
        for client in chooser.sample(sorted(clients), len(clients)):
            contender = clients[client]
            found = run_probe(
                contenders.interpreter,
                contender,
                process_environment(contender, endpoint_url),
                *("get_item", client, str(scenario), str(effort.calls)),
            )
            samples[client].append(found["cpu"])
    ratio = paired_ratio(samples["keyscope"], samples["boto3"])
    return Section(
        tables=(
            Table(
                f"miss_{store.replace(' ', '_').lower()}",
                f"A read of the table, CPU microseconds of the client, {store}",
                ("client", "CPU median", "middle half", "of boto3's"),
                (
                    (
                        "Keyscope, up to the key record",
                        round(median(samples["keyscope"])),
                        interquartile(samples["keyscope"]),
                        str(ratio),
                    ),
                    (
                        "boto3.resource, Table.get_item",
                        round(median(samples["boto3"])),
                        interquartile(samples["boto3"]),
                        None,
                    ),
                ),
                "Plain HTTP on this machine, strongly consistent, one connection kept open.",
            ),
        ),
        targets=(READ.of(ratio.value),),
    )


def _fill(dynamodb_url: str, scenario: Path) -> None:
    stack = stack_of()
    create_tables(stack, dynamodb_url)
    client = local_client("dynamodb", dynamodb_url)
    put_item = cast("Callable[..., Mapping[str, object]]", vars(type(client))["put_item"])
    table = environment_of(stack, FUNCTION)["KEYSCOPE_KEYS_TABLE"]
    for item in decoded_items(json.loads(scenario.read_text("utf-8"))["items"]).values():
        put_item(client, TableName=table, Item=item)
