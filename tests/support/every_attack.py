"""Every hostile credential."""

from tests.support.attacks import Attack, basic_attacks, bearer_secret_attacks, header_attacks
from tests.support.token_attacks import token_attacks


def every_attack(key_id: str, secret: str) -> list[Attack]:
    """Return the attacks with a key; their order does not depend on the key."""
    return [
        attack
        for attacks in (header_attacks, basic_attacks, bearer_secret_attacks, token_attacks)
        for attack in attacks(key_id, secret)
    ]
