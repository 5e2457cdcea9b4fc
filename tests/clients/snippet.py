"""The README's snippets, as a reader would paste them, but for the addresses."""

import os
import pathlib
import re


# Where the README's node is, and in which variable the suite is told where this one is.
ADDRESSES = {
    "http://127.0.0.1:8000": "FOREBAY_ENDPOINT",
    "http://127.0.0.1:8080": "FOREBAY_ADMIN",
    "dax://127.0.0.1:8111": "FOREBAY_DAX",
}


def snippet(language, address="http://127.0.0.1:8000"):
    """The block of that language that talks to that address."""
    readme = (pathlib.Path(__file__).parents[2] / "README.md").read_text()
    blocks = re.findall(r"^```" + language + r"\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if address in block]
    for written, variable in ADDRESSES.items():
        found = found.replace(written, os.environ[variable].rstrip("/"))
    return found
