"""Source addresses and networks: what is read as which address, and what as none."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyscope.model.source_address import read_network, read_source_address

PORTS = st.none() | st.integers(0, 65_535)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:39870", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:207", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:443", "192.0.2.7"),
        # Without brackets the last group of an IPv6 address is no port (RFC 5952, section 6).
        ("2001:db8::1:443", "2001:db8::1:443"),
    ],
)
def test_a_source_address_is_the_address_that_it_holds(text: str, address: str) -> None:
    assert read_source_address(text) == ip_address(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unknown",
        "192.0.2.7, 10.0.0.1",
        " 192.0.2.7",
        "192.0.2.7\n",
        "192.0.2.7:",
        "192.0.2.7:65536",
        "192.0.2.7:123456",
        "192.0.2.7:+1",
        "192.0.2.7:\u0661",
        "192.0.2.7:443:443",
        "192.0.2.07",
        "192.0.2.0/24",
        "[192.0.2.7]",
        "[192.0.2.7]:443",
        "[2001:db8::1",
        "2001:db8::1]:443",
        "[[2001:db8::1]]:443",
        "[2001:db8::1]443",
        "2001:db8:0:0:0:0:0:1:443",
        "fe80::1%eth0",
        "[fe80::1%eth0]:443",
        "::ffff:192.0.2.7%eth0",
        "fe80::1%",
        "::ffff:192.0.2.7:443",
    ],
)
def test_what_is_no_address_is_none(text: str) -> None:
    assert read_source_address(text) is None


@given(address=st.ip_addresses(v=4), port=PORTS)
def test_every_ipv4_address_is_read_with_and_without_a_port(
    address: IPv4Address, port: int | None
) -> None:
    end = "" if port is None else f":{port}"
    assert read_source_address(f"{address}{end}") == address
    assert read_source_address(f"[::ffff:{address}]{end}") == address


@given(address=st.ip_addresses(v=6), port=PORTS)
def test_every_ipv6_address_is_read_with_and_without_a_port(
    address: IPv6Address, port: int | None
) -> None:
    end = "" if port is None else f":{port}"
    assert read_source_address(f"[{address}]{end}") == (address.ipv4_mapped or address)


@given(st.text() | st.text("0123456789abcdef.:[]%/ "))
def test_any_text_is_an_address_that_is_not_mapped_or_none(text: str) -> None:
    address = read_source_address(text)
    assert not isinstance(address, IPv6Address) or address.ipv4_mapped is None


@given(address=st.ip_addresses(v=4), length=st.integers(0, 32))
def test_a_mapped_network_is_the_ipv4_network_that_it_means(
    address: IPv4Address, length: int
) -> None:
    network = ip_network(f"{address}/{length}", strict=False)
    assert read_network(f"::ffff:{network.network_address}/{96 + length}") == network


@pytest.mark.parametrize("text", ["::ffff:0:0/95", "::ffff:192.0.2.0/24", "::ffff:0.0.0.0/0"])
def test_a_mapped_network_wider_than_all_of_ipv4_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"requires a prefix of /96 or longer$"):
        read_network(text)


@pytest.mark.parametrize("text", ["::ffff:192.0.2.7/120", "::ffff:192.0.2.0/129"])
def test_a_mapped_network_is_no_less_strict_than_an_ipv4_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a network such as"):
        read_network(text)
