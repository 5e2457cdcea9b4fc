"""Where DynamoDB Local is known to be the wrong one.

Each exception names one input shape, what both answer, and the page of AWS that decides. Reviewed when added; never a
whole operation.
"""

import base64
import re

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


def mistyped(value):
    """Whether something that should be an attribute value is not of its JSON shape, or its binary not base64."""
    if not isinstance(value, dict):
        return True
    for kind, content in value.items():
        if kind in ("S", "N"):
            wrong = not isinstance(content, str)
        elif kind == "B":
            wrong = not base64_text(content)
        elif kind in ("SS", "NS"):
            wrong = not isinstance(content, list) or not all(isinstance(one, str) for one in content)
        elif kind == "BS":
            wrong = not isinstance(content, list) or not all(map(base64_text, content))
        elif kind in ("BOOL", "NULL"):
            wrong = not isinstance(content, bool)
        elif kind == "L":
            wrong = not isinstance(content, list) or any(map(mistyped, content))
        elif kind == "M":
            wrong = not isinstance(content, dict) or any(map(mistyped, content.values()))
        else:
            wrong = False
        if wrong:
            return True
    return False


def base64_text(text):
    try:
        return isinstance(text, str) and base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except ValueError:
        return False


VALUE_MAPS = {"Item", "Key", "ExpressionAttributeValues", "ExclusiveStartKey"}
VALUE_LISTS = {"AttributeValueList"}
# Attributes that are keys of the generated tables or of their indexes.
KEY_ATTRIBUTES = {"pk", "sk", "l0", "l1", "g0", "g1", "h"}
STRUCTURES = {"PutRequest", "DeleteRequest", "Get", "Put", "Update", "Delete", "ConditionCheck"}


def malformed(node):
    """Whether a request breaks the JSON shapes of the service's model: what AWS answers with SerializationException."""
    if isinstance(node, list):
        return any(malformed(one) for one in node)
    if not isinstance(node, dict):
        return False
    for name, value in node.items():
        if name in VALUE_MAPS:
            if not isinstance(value, dict) or any(mistyped(one) for one in value.values()):
                return True
        elif name == "Value" and mistyped(value):
            return True
        elif name in VALUE_LISTS:
            if not isinstance(value, list) or any(mistyped(one) for one in value):
                return True
        elif name == "ExpressionAttributeNames":
            if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
                return True
        elif name in ("Expected", "ScanFilter", "QueryFilter", "KeyConditions", "AttributeUpdates"):
            if not isinstance(value, dict) or any(not isinstance(one, dict) or malformed(one) for one in value.values()):
                return True
        elif name == "RequestItems":
            if not isinstance(value, dict) or any(malformed(one) for one in value.values()):
                return True
            if any(not isinstance(one, (dict, list)) or one == [] for one in value.values()):
                return True
        elif name == "Keys":
            if not isinstance(value, list) or any(not isinstance(k, dict) or any(map(mistyped, k.values())) for k in value):
                return True
        elif name in STRUCTURES and not isinstance(value, dict):
            return True
        elif malformed(value):
            return True
    return False


for local_error in ("ValidationException", "InternalFailure", "TransactionCanceledException"):

    @exception(
        f"attribute value of the wrong JSON shape, {local_error}",
        "SerializationException",
        local_error,
        "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/CommonErrors.html",
    )
    def _wrong_shape(operation, request):
        return malformed(request)


def transacted_updates(request):
    return [action["Update"] for action in request.get("TransactItems", []) if isinstance(action.get("Update"), dict)]


@exception(
    "an update of a transaction that its item does not allow: a reason, not an error of the request",
    "TransactionCanceledException",
    "ValidationException",
    # "Cancellation reason codes", ValidationError: "The document path provided in the update expression is invalid for update",
    # "The provided expression refers to an attribute that does not exist in the item", and others of the kind.
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html",
)
def _transacted_update(operation, request):
    return operation == "TransactWriteItems" and bool(transacted_updates(request))


def looks_into_a_key(action):
    """Whether a condition goes below an attribute that is part of a key, where only scalars stand."""
    names = action.get("ExpressionAttributeNames", {})
    paths = re.findall(r"([#\w]+)(?=[.\[])", action.get("ConditionExpression", ""))
    return any(names.get(path, path) in KEY_ATTRIBUTES for path in paths)


for local_error in ("ValidationException", "TransactionCanceledException", "answer"):

    @exception(
        f"a condition of a transaction that looks into a key: refused for that action, {local_error}",
        "TransactionCanceledException",
        local_error,
        # "Cancellation reason codes", ValidationError: "One or more parameter values were invalid". DynamoDB Local answers
        # the same condition in three ways, by kind of action.
        "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html",
    )
    def _into_a_key(operation, request):
        actions = [a for one in request.get("TransactItems", []) for a in one.values() if isinstance(a, dict)]
        return operation == "TransactWriteItems" and any(map(looks_into_a_key, actions))


@exception(
    "a conditional operator that is neither AND nor OR",
    "ValidationException",
    "InternalFailure",
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.ConditionalOperator.html",
)
def _conditional_operator(operation, request):
    return request.get("ConditionalOperator") not in (None, "AND", "OR")


@exception(
    "an expression that is wrong by itself, for a table that does not exist: the expression is judged first",
    "ValidationException",
    "ResourceNotFoundException",
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html",
)
def _wrong_twice(operation, request):
    return not re.fullmatch(r"diff-\d+-[01]", request.get("TableName", "")) and "UpdateExpression" in request
