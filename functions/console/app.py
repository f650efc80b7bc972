"""The key console: static files for a browser, behind no authorizer.

This function has no access to keys or tables. The console runs in the browser, and calls the
management API of the same stage.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, TypedDict

MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
SECURITY_HEADERS: Final = {
    # Only the console's own files can run, and they can call only this API.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
PAGE: Final = "index.html"


class HttpAnswer(TypedDict):
    """The answer of a Lambda proxy integration."""

    statusCode: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the console. `tag` is its entity tag (RFC 9110, section 8.8.3)."""

    media_type: str
    text: str
    tag: str


def read_assets(folder: Path) -> dict[str, Asset]:
    """Read every file of the console, by name; other file types are not part of the console."""
    return {
        path.name: Asset(MEDIA_TYPES[path.suffix], path.read_text("utf-8"), _tag(path))
        for path in folder.iterdir()
        if path.suffix in MEDIA_TYPES
    }


def _tag(path: Path) -> str:
    return f'"{b64encode(sha256(path.read_bytes()).digest()[:12]).decode()}"'


ASSETS: Final = read_assets(Path(__file__).with_name("static"))


def handler(event: Mapping[str, object], context: object) -> HttpAnswer:  # noqa: ARG001 - Lambda's
    """Answer `GET /console/{file}` with a file, and `GET /console` with a redirect to the page."""
    name = _member(event, "pathParameters").get("file")
    if name is None:
        path = str(_member(event, "requestContext").get("path")).rstrip("/")
        return _answer(302, {"Location": f"{path}/{PAGE}", "Cache-Control": "no-store"})
    asset = ASSETS.get(str(name))
    if asset is None:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        return _answer(404, headers, "The console has no such file.\n")
    headers = {"Content-Type": asset.media_type, "ETag": asset.tag, "Cache-Control": "no-cache"}
    if asset.tag == _if_none_match(event):
        return _answer(304, headers)
    return _answer(200, headers, asset.text)


def _answer(status: int, headers: Mapping[str, str], body: str = "") -> HttpAnswer:
    return {"statusCode": status, "headers": {**SECURITY_HEADERS, **headers}, "body": body}


def _if_none_match(event: Mapping[str, object]) -> object:
    headers = {name.lower(): value for name, value in _member(event, "headers").items()}
    return headers.get("if-none-match")


def _member(event: Mapping[str, object], name: str) -> Mapping[str, object]:
    member = event.get(name)
    return member if isinstance(member, Mapping) else {}
