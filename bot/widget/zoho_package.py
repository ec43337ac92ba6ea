"""The widget as an extension package for Zoho CRM: the same page and scripts, with Zoho's SDK as the host.

In the zip, as Zoho's packer lays it out: `plugin-manifest.json` and `app/` at the top. Zoho's SDK is loaded by the
package's page alone, from Zoho's own address. What the page asks goes straight to the API (CORS), so Zoho's origin of
the installed widget must be among `API_ORIGINS`.
"""

from __future__ import annotations

import html
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
SDK = "https://live.zwidgets.com/js-sdk/1.2/ZohoEmbededAppSDK.min.js"
ENTRY = '<script type="module" src="embedded.js"></script>'
PLACE = '<body data-origins="{{origins}}">'
FIELDS = ("Subject", "Description")
# Entries of other hosts stay out.
LEFT_OUT = ("otklik.js", "embedded.js")
STAMP = (2026, 1, 1, 0, 0, 0)


class BadPackage(ValueError):
    """A package cannot be made of what was asked for; the message says what to give instead."""


@dataclass(frozen=True, slots=True)
class Zoho:
    """What a package is made for: the API's address, and which fields of a record hold the question."""

    api: str
    fields: Sequence[str] = FIELDS
    lang: str = "ru"
    function: str = "otklik_session"


def package(given: Zoho) -> dict[str, bytes]:
    """Path in the zip → content. BadPackage if the API's address cannot be one."""
    api = _origin(given.api)
    files = {f"app/{path.name}": path.read_bytes() for path in _scripts()}
    files["app/widget.html"] = _page(given, api).encode()
    files["app/translations/en.json"] = b"{}\n"
    files["plugin-manifest.json"] = (json.dumps(manifest(api), indent=2) + "\n").encode()
    return files


def function(given: Zoho) -> str:
    """The function that fetches tokens on Zoho's server, in Zoho's language Deluge: to be pasted into Zoho."""
    return (FOLDER / "zoho" / "session.dg").read_text("utf-8").replace("{{api}}", _origin(given.api))


def manifest(api: str) -> dict[str, object]:
    """`plugin-manifest.json`: the product, and what the page may load and call."""
    sdk = urlsplit(SDK)
    return {
        "service": "CRM",
        "cspDomains": {"connect-src": [api], "script-src": [f"{sdk.scheme}://{sdk.netloc}"]},
        "config": [],
    }


def write(given: Zoho, out: Path) -> list[str]:
    """Write the zip, the same bytes for the same page, and beside it Zoho's function; the names in the zip."""
    files = package(given)
    out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, STAMP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    out.with_suffix(".dg").write_text(function(given), encoding="utf-8")
    return sorted(files)


def _scripts() -> list[Path]:
    shared = [path for path in sorted(STATIC.iterdir()) if path.suffix in (".js", ".css")]
    return [FOLDER / "zoho" / "zoho.js", *(path for path in shared if path.name not in LEFT_OUT)]


def _page(given: Zoho, api: str) -> str:
    told = {"api": api, "fields": list(given.fields), "lang": given.lang, "function": given.function}
    page = (STATIC / "index.html").read_text("utf-8")
    sdk = f'<script src="{SDK}"></script>\n<script type="module" src="zoho.js"></script>'
    body = f'<body data-zoho="{html.escape(json.dumps(told, ensure_ascii=False))}">'
    return page.replace(ENTRY, sdk).replace(PLACE, body)


def _origin(api: str) -> str:
    parsed = urlsplit(api.strip().rstrip("/"))
    local = parsed.hostname in ("localhost", "127.0.0.1")
    if not parsed.hostname or parsed.path or parsed.query or parsed.scheme not in ("https", "http"):
        raise BadPackage("--api is the address that browsers reach the API at, such as https://otklik.example.com")
    if parsed.scheme == "http" and not local:
        raise BadPackage("Zoho's pages are https: a browser calls from them only an https address; give that as --api")
    return f"{parsed.scheme}://{parsed.netloc}"
