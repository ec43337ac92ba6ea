"""`otklik widget`: the operators' widget as a package for a help-desk system."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bot.widget.zoho_package import FIELDS, BadPackage, Zoho, write

NEXT = """Then, in Zoho CRM:
  1. Setup, Functions: paste the .dg file as function otklik_session; keep the key as variable otklik_key.
  2. Setup, Widgets: a new widget, hosting Zoho, this zip, index page /app/widget.html.
  3. Put the origin that Zoho gives the widget into API_ORIGINS and restart `otklik api`.
docs/widget.md has the details."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry of `otklik widget`. 0: written, 2: wrong arguments."""
    parser = argparse.ArgumentParser(prog="otklik widget", description=__doc__)
    systems = parser.add_subparsers(dest="system", required=True)
    zoho = systems.add_parser("zoho", help="an extension package for Zoho CRM")
    zoho.add_argument("--out", type=Path, required=True, metavar="FILE.zip")
    zoho.add_argument("--api", required=True, help="where browsers reach the API, such as https://otklik.example.com")
    zoho.add_argument("--lang", choices=("ru", "en"), default="ru")
    zoho.add_argument(
        "--field", dest="fields", action="append", help="a record's field that asks; default: Subject, Description"
    )
    given = parser.parse_args(argv)
    try:
        names = write(Zoho(given.api, given.fields or FIELDS, given.lang), given.out)
    except (BadPackage, OSError) as error:
        print(f"otklik widget: {error}", file=sys.stderr)
        return 2
    print(f"{given.out}: {len(names)} files; {given.out.with_suffix('.dg')}: the function for tokens")
    print(NEXT, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
