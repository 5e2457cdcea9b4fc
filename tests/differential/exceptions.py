"""Where DynamoDB Local is known to be the wrong one.

Each exception names one input shape, what both answer, and the page of AWS that decides. Reviewed when added; never a
whole operation.
"""

KNOWN = []


def exception(name, ours, peer, page):
    """Registers a predicate on (operation, request) for exactly these two outcomes."""

    def register(shape):
        KNOWN.append((name, ours, peer, page, shape))
        return shape

    return register


def outcome(answer):
    """The error's name, or `answer` where it is none."""
    return answer.get("error", "answer") if isinstance(answer, dict) else "answer"


def known(operation, request, ours, peer):
    """The name of the exception that covers this difference."""
    for name, one, other, _, shape in KNOWN:
        if outcome(ours) == one and outcome(peer) == other and shape(operation, request):
            return name
    return None
