"""Every hostile credential, and parameters of tests that name them alike in every process."""

from typing import Final

import pytest

from tests.support.attacks import Attack, basic_attacks, bearer_secret_attacks, header_attacks
from tests.support.token_attacks import token_attacks


def every_attack(key_id: str, secret: str) -> list[Attack]:
    """Return the attacks with a key; their order does not depend on the key."""
    return [
        attack
        for attacks in (header_attacks, basic_attacks, bearer_secret_attacks, token_attacks)
        for attack in attacks(key_id, secret)
    ]


_NAMED: Final = every_attack("app_00112233445566778899aabb", "ks_example")

EVERY_POSITION: Final = [
    pytest.param(position, id=attack.name) for position, attack in enumerate(_NAMED)
]
"""Where each attack stands; a test's key is made anew in each process, so no name may hold it."""

POSITIONS_OF_ONE_HEADER: Final = [
    parameter
    for parameter, attack in zip(EVERY_POSITION, _NAMED, strict=True)
    if len(attack.fields) == 1
]
