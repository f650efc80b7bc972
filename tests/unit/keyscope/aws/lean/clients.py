"""Lean clients of tests, which are closed when their test has ended."""

from typing import Final

from keyscope.aws.lean.client import LeanClient

PLAIN: Final = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
}
_made: Final[list[LeanClient]] = []


def noted(client: LeanClient) -> LeanClient:
    _made.append(client)
    return client


def close_all() -> None:
    while _made:
        _made.pop().close()


def read(client: LeanClient) -> dict[str, object]:
    return client.get_item(TableName="keys", Key={"key_id": {"S": "app_1"}})
