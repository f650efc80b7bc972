"""How the program calls the management API."""

import ssl
from typing import Final

import pytest

from keyscope_cli.failures import Failure
from keyscope_cli.management_client import ManagementClient

NOBODY_LISTENS: Final = 1


@pytest.mark.parametrize(("scheme", "contexts"), [("http", 0), ("https", 1)])
def test_only_an_encrypted_call_loads_whom_the_world_trusts(
    scheme: str, contexts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ssl.SSLContext] = []
    make = ssl.create_default_context

    def making(*arguments: object, **options: object) -> ssl.SSLContext:
        context = make(*arguments, **options)  # type: ignore[arg-type]
        made.append(context)
        return context

    monkeypatch.setattr(ssl, "create_default_context", making)
    client = ManagementClient(f"{scheme}://127.0.0.1:{NOBODY_LISTENS}", "Basic x")
    with pytest.raises(Failure):
        client.call("GET", "/v2/apps")
    assert [context.verify_mode for context in made] == [ssl.CERT_REQUIRED] * contexts
