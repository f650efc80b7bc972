"""Reads the caller's address, and the networks that a key may be limited to."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

CIDR_PATTERN = "[0-9A-Fa-f.:]+(/[0-9]{1,3})?"
"""Matches every network. `ip_network` also reads masks and IPv6 zones, and a zone may be any text,
which would end up in a policy."""
SOURCE_ADDRESS_PATTERN = (
    r"\[([0-9A-Fa-f.:]+)\](:[0-9]{1,5})?|([0-9.]+)(:[0-9]{1,5})?|[0-9A-Fa-f.:]+"
)
"""Matches every source address: IPv6 in brackets or IPv4, each with or without a port, or IPv6. It
does not match IPv6 zones, which `ip_address` reads."""
_CIDR = re.compile(CIDR_PATTERN)
_SOURCE_ADDRESS = re.compile(SOURCE_ADDRESS_PATTERN)
_MAX_PORT = 65_535
_MAPPED_BITS = 96
"""IPv4-mapped IPv6 addresses are `::ffff:0:0/96` (RFC 4291, section 2.5.5.2)."""
_NO_NETWORK = "must be a network such as 192.0.2.0/24 or 2001:db8::/32, without host bits"
_WIDER_THAN_IPV4 = (
    "must be an IPv4 network such as 192.0.2.0/24. An IPv4-mapped IPv6 network requires a prefix"
    f" of /{_MAPPED_BITS} or longer"
)


def read_source_address(text: str) -> Address | None:
    """Return the address in a source address, or `None` if there is none.

    A source address may have a port (`192.0.2.7:39870`, `[2001:db8::1]:443`). An IPv4-mapped IPv6
    address is read as the IPv4 address that it contains. An address with an IPv6 zone
    (`fe80::1%eth0`), which names an interface, is refused.
    """
    parts = _SOURCE_ADDRESS.fullmatch(text)
    if parts is None:
        return None
    bracketed, port, ipv4, ipv4_port = parts.groups()
    if int((port or ipv4_port or ":0")[1:]) > _MAX_PORT:
        return None
    try:
        address = ip_address(bracketed or ipv4 or text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        # Only IPv6 may be in brackets (RFC 3986, section 3.2.2).
        return address if bracketed is None else None
    return address.ipv4_mapped or address


def read_network(text: str) -> Network:
    """Read a network in CIDR notation; return the IPv4 network of a mapped IPv6 network.

    Raises:
        ValueError: with a text that completes a sentence after the name of the invalid field.
    """
    if _CIDR.fullmatch(text) is None:
        raise ValueError(_NO_NETWORK)
    address, _, length = text.partition("/")
    mapped = _mapped(address)
    if mapped is not None:
        prefix = int(length or 128)
        if prefix < _MAPPED_BITS:
            raise ValueError(_WIDER_THAN_IPV4)
        text = f"{mapped}/{prefix - _MAPPED_BITS}"
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError(_NO_NETWORK) from None


def _mapped(address: str) -> IPv4Address | None:
    try:
        return IPv6Address(address).ipv4_mapped
    except ValueError:
        return None
