"""The README's snippets, as a reader would paste them, but for the addresses."""

import os
import pathlib
import re


def snippet(language):
    """The block of that language that talks to the endpoint."""
    readme = (pathlib.Path(__file__).parents[2] / "README.md").read_text()
    blocks = re.findall(r"^```" + language + r"\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if "127.0.0.1:8000" in block]
    admin = os.environ["FOREBAY_ADMIN"].rstrip("/")
    return found.replace("http://127.0.0.1:8000", os.environ["FOREBAY_ENDPOINT"]).replace("http://127.0.0.1:8080", admin)
