"""Makes a directory of roots of a bundle, named as OpenSSL looks for them.

Called by the Makefile with the bundle and the directory. OpenSSL finds an issuer by the hash of its
name, so it parses one root for a connection instead of all (X509_LOOKUP_hash_dir(3)). `openssl
rehash` does the same, but not every machine that builds has it.
"""

import base64
import re
import sys
from collections import Counter
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path

_SEQUENCE, _SET, _UTF8, _VERSION = 0x30, 0x31, 0x0C, 0xA0
_SUBJECT = 4
"""The subject's place in a certificate, after serial number, algorithm, issuer and validity; only
certificates of version 1 have no version before these (RFC 5280, 4.1)."""
_LONG = 0x80
"""The bit that marks a length of more than one byte."""
_TEXTS = {
    0x0C: "utf-8",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1A: "ascii",
    0x1E: "utf-16-be",
}
"""The kinds of text in names, and their encodings."""
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def hash_roots(bundle: Path, folder: Path) -> None:
    """Write each certificate of a bundle into its file."""
    folder.mkdir(parents=True)
    seen: Counter[str] = Counter()
    for body in re.findall(f"{_BEGIN}(.*?){_END}", bundle.read_text("utf-8"), re.DOTALL):
        name = name_hash(base64.b64decode(body))
        (folder / f"{name}.{seen[name]}").write_text(f"{_BEGIN}{body}{_END}\n", "ascii")
        seen[name] += 1


def name_hash(certificate: bytes) -> str:
    """Return OpenSSL's hash of a certificate's subject: SHA-1 of its canonical form."""
    signed_part = next(_elements(next(_elements(certificate))[1]))[1]
    parts = [content for tag, content in _elements(signed_part) if tag != _VERSION]
    subject = parts[_SUBJECT]
    canonical = b"".join(_canonical(names) for _, names in _elements(subject))
    digest = sha1(canonical, usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def _canonical(names: bytes) -> bytes:
    """Return a set of names in OpenSSL's canonical form (crypto/x509/x_name.c)."""
    parts = []
    for _, name in _elements(names):
        (kind, key), (tag, value) = _elements(name)
        if tag in _TEXTS:
            text = value.decode(_TEXTS[tag])
            lower = re.sub(r"[A-Z]", lambda found: found[0].lower(), text)
            value = re.sub(r"[ \t\n\v\f\r]+", " ", lower).strip(" ").encode()
            tag = _UTF8
        parts.append(_element(_SEQUENCE, _element(kind, key) + _element(tag, value)))
    return _element(_SET, b"".join(sorted(parts)))


def _elements(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tag and the content of each DER element."""
    place = 0
    while place < len(octets):
        tag, length = octets[place], octets[place + 1]
        place += 2
        if length & _LONG:
            size = length & ~_LONG
            length = int.from_bytes(octets[place : place + size], "big")
            place += size
        yield tag, octets[place : place + length]
        place += length


def _element(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < _LONG:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, _LONG | size]) + length.to_bytes(size, "big") + content


if __name__ == "__main__":
    hash_roots(Path(sys.argv[1]), Path(sys.argv[2]))
