"""Attribute values as the shared cases write them, and when two of them are equal."""

import base64
import json
import pathlib
from decimal import Decimal

CASES = pathlib.Path(__file__).parents[1] / "_dax"


def cases(name):
    """The cases of that name, which all DAX suites share."""
    return json.loads((CASES / f"{name}.json").read_text())


def value(written):
    """An attribute value, from JSON, where binaries are base64."""
    ((kind, inner),) = written.items()
    match kind:
        case "B":
            inner = base64.b64decode(inner)
        case "BS":
            inner = [base64.b64decode(one) for one in inner]
        case "L":
            inner = [value(one) for one in inner]
        case "M":
            inner = item(inner)
    return {kind: inner}


def item(written):
    """An item, from JSON."""
    return {name: value(one) for name, one in written.items()}


def same(left, right):
    """Whether two items hold the same values: numbers by value, sets in any order."""
    return _plain({"M": left}) == _plain({"M": right})


def _plain(written):
    ((kind, inner),) = written.items()
    match kind:
        case "N":
            inner = Decimal(inner)
        case "NS":
            inner = frozenset(map(Decimal, inner))
        case "SS":
            inner = frozenset(inner)
        case "B":
            inner = bytes(inner)
        case "BS":
            inner = frozenset(map(bytes, inner))
        case "L":
            inner = [_plain(one) for one in inner]
        case "M":
            inner = {name: _plain(one) for name, one in inner.items()}
    return kind, inner
