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
    return not re.fullmatch(r"diff-\d+-[01]", request.get("TableName", "")) and any(
        name.endswith("Expression") for name in request
    )


@exception(
    "two actions of a transaction on one item: refused before any condition is judged",
    "ValidationException",
    "TransactionCanceledException",
    # "TransactWriteItems … the actions … can target up to 100 distinct items"
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html",
)
def _one_item_twice(operation, request):
    actions = [a for one in request.get("TransactItems", []) for a in one.values() if isinstance(a, dict)]
    targets = [repr((a.get("TableName"), {n: v for n, v in (a.get("Key") or a.get("Item") or {}).items() if n in ("pk", "sk")})) for a in actions]
    return operation == "TransactWriteItems" and len(set(targets)) < len(targets)


@exception(
    "a filter on an index that names an attribute the index does not hold: it is not there",
    "answer",
    "answer",
    # "If you query or scan a … secondary index, only the projected attributes are available"
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.Projections",
)
def _filter_beyond_projection(operation, request):
    return operation in ("Query", "Scan") and "IndexName" in request and ("FilterExpression" in request or "ScanFilter" in request)


@exception(
    "TransactGetItems cancelled: DynamoDB Local gives no reasons",
    "TransactionCanceledException",
    "TransactionCanceledException",
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactGetItems.html#API_TransactGetItems_Errors",
)
def _get_reasons(operation, request):
    return operation == "TransactGetItems"


@exception(
    "TransactGetItems of a table name that no table can have: DynamoDB Local looks for it",
    "ValidationException",
    "ResourceNotFoundException",
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Get.html",
)
def _get_bad_name(operation, request):
    gets = [one["Get"] for one in request.get("TransactItems", []) if isinstance(one.get("Get"), dict)]
    return operation == "TransactGetItems" and any(not re.fullmatch(r"[\w.-]{3,255}", get.get("TableName", "")) for get in gets)


@exception(
    "UPDATED_OLD or UPDATED_NEW of a document whose other part was only read: DynamoDB Local returns that part too",
    "answer",
    "answer",
    # "Returns only the updated attributes, as they appeared before the UpdateItem operation"
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html",
)
def _read_part(operation, request):
    nested = re.search(r"\b(\w+)[.\[]\S* = .*\b\1[.\[]", request.get("UpdateExpression", ""))
    return operation == "UpdateItem" and request.get("ReturnValues") in ("UPDATED_OLD", "UPDATED_NEW") and bool(nested)


@exception(
    "an empty Select: no member of the enumeration",
    "ValidationException",
    "answer",
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html#DDB-Query-request-Select",
)
def _empty_select(operation, request):
    return request.get("Select") == ""
