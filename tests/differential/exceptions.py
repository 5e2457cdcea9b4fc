"""Where DynamoDB Local is known to be the wrong one.

Each exception names one input shape, what both answer, and the page of AWS that decides. Reviewed when added; never a
whole operation.
"""

import base64
import re

KNOWN = []


def exception(name, ours, peer, page):
    """Registers a predicate on (operation, request, tables) for exactly these two outcomes; tables are schemas by name."""

    def register(shape):
        KNOWN.append((name, ours, peer, page, shape))
        return shape

    return register


def outcome(answer):
    """The error's name, or `answer` where it is none."""
    return answer.get("error", "answer") if isinstance(answer, dict) else "answer"


def known(operation, request, ours, peer, tables):
    """The name of the exception that covers this difference."""
    for name, one, other, _, shape in KNOWN:
        if outcome(ours) == one and outcome(peer) == other and shape(operation, request, tables):
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
            if any(isinstance(one, list) and not all(isinstance(write, dict) for write in one) for one in value.values()):
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
    def _wrong_shape(operation, request, tables):
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
def _transacted_update(operation, request, tables):
    return operation == "TransactWriteItems" and bool(transacted_updates(request))


@exception(
    "a conditional operator that is neither AND nor OR",
    "ValidationException",
    "InternalFailure",
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.ConditionalOperator.html",
)
def _conditional_operator(operation, request, tables):
    return request.get("ConditionalOperator") not in (None, "AND", "OR")


@exception(
    "an expression that is wrong by itself, for a table that does not exist: the expression is judged first",
    "ValidationException",
    "ResourceNotFoundException",
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html",
)
def _wrong_twice(operation, request, tables):
    return request.get("TableName", "") not in tables and any(
        name.endswith("Expression") for name in request
    )


@exception(
    "two actions of a transaction on one item: refused before any condition is judged",
    "ValidationException",
    "TransactionCanceledException",
    # "TransactWriteItems … the actions … can target up to 100 distinct items"
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html",
)
def _one_item_twice(operation, request, tables):
    actions = [a for one in request.get("TransactItems", []) for a in one.values() if isinstance(a, dict)]
    targets = [repr((a.get("TableName"), {n: v for n, v in (a.get("Key") or a.get("Item") or {}).items() if n in ("pk", "sk")})) for a in actions]
    return operation == "TransactWriteItems" and len(set(targets)) < len(targets)


WORDS = {"AND", "OR", "NOT", "BETWEEN", "IN", "SIZE", "CONTAINS", "BEGINS_WITH", "ATTRIBUTE_EXISTS", "ATTRIBUTE_NOT_EXISTS", "ATTRIBUTE_TYPE"}


def filtered(request):
    """The top-level attributes that a filter names."""
    names = request.get("ExpressionAttributeNames", {})
    paths = re.findall(r"(?<![\w:.#])#?\w+", re.sub(r"\[\d+\]", "", request.get("FilterExpression", "")))
    return {names.get(path, path) for path in paths if path.upper() not in WORDS} | set(request.get("ScanFilter", {}))


@exception(
    "Scan of an index with a filter on an attribute that the index does not hold: Forebay finds it absent, DynamoDB Local looks into the table",
    "answer",
    "answer",
    # "If you query or scan a … secondary index, only the projected attributes are available"
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.Projections",
)
def _filter_beyond_projection(operation, request, tables):
    table, index = tables.get(request.get("TableName")), request.get("IndexName")
    if operation != "Scan" or table is None or index not in table.indexes:
        return False
    return any(not table.holds(index, attribute) for attribute in filtered(request))


def fits(key, table):
    """Whether a key, or an item, has the key attributes of its table with their types; a key has nothing besides."""
    return all(isinstance(key.get(name), dict) and set(key[name]) == {table.types[name]} for name in table.key)


def unfit(actions, tables):
    """Whether some action's key is not one of its table."""
    for action in actions:
        table, key = tables.get(action.get("TableName")), action.get("Key")
        if table and not fits(action.get("Item") if key is None else key, table):
            return True
        if table and key is not None and set(key) != set(table.key):
            return True
    return False


def transacted(request):
    return [what for one in request.get("TransactItems", []) for what in one.values() if isinstance(what, dict)]


@exception(
    "TransactGetItems of a key that its table cannot have: Forebay gives a reason for each Get, ValidationError for that one, DynamoDB Local none",
    "TransactionCanceledException",
    "TransactionCanceledException",
    # "If using Java, DynamoDB lists the cancellation reasons on the CancellationReasons property … ordered in the order of requested items"
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactGetItems.html#API_TransactGetItems_Errors",
)
def _get_reasons(operation, request, tables):
    return operation == "TransactGetItems" and unfit(transacted(request), tables)


@exception(
    "TransactWriteItems with a key that its table cannot have, and a condition that fails: Forebay judges the keys of all first and gives "
    "ValidationError for that one only, DynamoDB Local judges the condition too",
    "TransactionCanceledException",
    "TransactionCanceledException",
    # "There is a user error, such as an invalid data format"; the page does not say what becomes of the other actions.
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html#API_TransactWriteItems_Errors",
)
def _unfit_and_failing(operation, request, tables):
    actions = transacted(request)
    return operation == "TransactWriteItems" and unfit(actions, tables) and any("ConditionExpression" in one for one in actions)


@exception(
    "TransactGetItems of a table name that no table can have: DynamoDB Local looks for it",
    "ValidationException",
    "ResourceNotFoundException",
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Get.html",
)
def _get_bad_name(operation, request, tables):
    gets = [one["Get"] for one in request.get("TransactItems", []) if isinstance(one.get("Get"), dict)]
    return operation == "TransactGetItems" and any(not re.fullmatch(r"[\w.-]{3,255}", get.get("TableName", "")) for get in gets)


@exception(
    "UPDATED_OLD or UPDATED_NEW of a document whose other part was only read: DynamoDB Local returns that part too",
    "answer",
    "answer",
    # "Returns only the updated attributes, as they appeared before the UpdateItem operation"
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html",
)
def _read_part(operation, request, tables):
    nested = re.search(r"\b(\w+)[.\[]\S* = .*\b\1[.\[]", request.get("UpdateExpression", ""))
    return operation == "UpdateItem" and request.get("ReturnValues") in ("UPDATED_OLD", "UPDATED_NEW") and bool(nested)


@exception(
    "an empty Select, or an empty KeyType of a sort key: no member of the enumeration",
    "ValidationException",
    "answer",
    # "Valid Values: ALL_ATTRIBUTES | ALL_PROJECTED_ATTRIBUTES | SPECIFIC_ATTRIBUTES | COUNT"; "Valid Values: HASH | RANGE"
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html#DDB-Query-request-Select",
)
def _empty_member(operation, request, tables):
    keys = [request, *request.get("GlobalSecondaryIndexes", []), *request.get("LocalSecondaryIndexes", [])]
    parts = [part for one in keys if isinstance(one, dict) for part in one.get("KeySchema", [])]
    return request.get("Select") == "" or any(part.get("KeyType") == "" for part in parts if isinstance(part, dict))


def units(request):
    """All throughput that a request names."""
    of = [request, *request.get("GlobalSecondaryIndexes", [])]
    return [one["ProvisionedThroughput"] for one in of if isinstance(one.get("ProvisionedThroughput"), dict)]


CHANGES = ("BillingMode", "ProvisionedThroughput", "DeletionProtectionEnabled", "GlobalSecondaryIndexUpdates", "StreamSpecification")


@exception(
    "UpdateTable that changes nothing, or names throughput or a billing mode that no table can have, of a table that does not exist: the "
    "request is judged before the table is looked for",
    "ValidationException",
    "ResourceNotFoundException",
    # ProvisionedThroughput: "Minimum value of 1"
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ProvisionedThroughput.html",
)
def _update_wrong_twice(operation, request, tables):
    if operation != "UpdateTable" or request.get("TableName", "") in tables:
        return False
    missing = request.get("BillingMode") == "PROVISIONED" and not units(request)
    needless = request.get("BillingMode") == "PAY_PER_REQUEST" and bool(units(request))
    wanted = {"ReadCapacityUnits", "WriteCapacityUnits"}
    empty = any(set(unit) != wanted or min(unit.values()) < 1 for unit in units(request))
    unknown = request.get("BillingMode") not in (None, "PROVISIONED", "PAY_PER_REQUEST")
    return missing or needless or empty or unknown or not any(change in request for change in CHANGES)


for local_answer in ("answer", "ResourceInUseException"):

    @exception(
        f"CreateTable billed per request, with throughput: DynamoDB Local passes over it, {local_answer}",
        "ValidationException",
        local_answer,
        # ProvisionedThroughput: "If you set BillingMode as PAY_PER_REQUEST, you cannot specify this property"
        "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html#DDB-CreateTable-request-ProvisionedThroughput",
    )
    def _needless_throughput(operation, request, tables):
        return operation == "CreateTable" and request.get("BillingMode") == "PAY_PER_REQUEST" and bool(units(request))


@exception(
    "UpdateTable of a table with provisioned throughput to that mode, without throughput: DynamoDB Local takes what it had",
    "ValidationException",
    "answer",
    # ProvisionedThroughput: "If you set BillingMode as PROVISIONED, you must specify this property"
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html#DDB-CreateTable-request-ProvisionedThroughput",
)
def _same_mode(operation, request, tables):
    table = tables.get(request.get("TableName"))
    again = table is not None and table.provisioned and request.get("BillingMode") == "PROVISIONED"
    return operation == "UpdateTable" and again and not units(request)


@exception(
    "UpdateTable of anything else of a protected table: DynamoDB Local takes the protection away",
    "answer",
    "answer",
    # "Indicates whether deletion protection is to be enabled (true) or disabled (false) on the table"; not required
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html#DDB-UpdateTable-request-DeletionProtectionEnabled",
)
def _protection_forgotten(operation, request, tables):
    table = tables.get(request.get("TableName"))
    return operation == "UpdateTable" and table is not None and table.protected and "DeletionProtectionEnabled" not in request


@exception(
    "UpdateTable with throughput of a table that is billed per request, and stays so: DynamoDB Local passes over it",
    "ValidationException",
    "answer",
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html#DDB-CreateTable-request-ProvisionedThroughput",
)
def _needless_new_throughput(operation, request, tables):
    return operation == "UpdateTable" and request.get("BillingMode") != "PROVISIONED" and bool(units(request))


@exception(
    "UpdateTable that leaves a global index of a table with provisioned throughput without any: DynamoDB Local breaks down",
    "ValidationException",
    "InternalFailure",
    # "If you set BillingMode as PROVISIONED, you must specify" ProvisionedThroughput, of an index too
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GlobalSecondaryIndex.html",
)
def _index_without_throughput(operation, request, tables):
    table = tables.get(request.get("TableName"))
    if operation != "UpdateTable" or table is None:
        return False
    becomes = request.get("BillingMode") == "PROVISIONED" and any(kind == "Global" for kind, _, _ in table.indexes.values())
    added = any("ProvisionedThroughput" not in one.get("Create", {}) for one in request.get("GlobalSecondaryIndexUpdates", []))
    return becomes or table.provisioned and added


@exception(
    "a billing mode there is not: DynamoDB Local breaks down",
    "ValidationException",
    "InternalFailure",
    # "Valid Values: PROVISIONED | PAY_PER_REQUEST"
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html#DDB-UpdateTable-request-BillingMode",
)
def _billing_mode(operation, request, tables):
    return request.get("BillingMode") not in (None, "PROVISIONED", "PAY_PER_REQUEST")


@exception(
    "UpdateTable that adds an index without defining its key's attributes again: DynamoDB Local takes them from the table",
    "ValidationException",
    "answer",
    # "If you are adding a new global secondary index to the table, AttributeDefinitions must include the key element(s) of the new index"
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html#DDB-UpdateTable-request-AttributeDefinitions",
)
def _index_without_definitions(operation, request, tables):
    made = [one["Create"] for one in request.get("GlobalSecondaryIndexUpdates", []) if isinstance(one.get("Create"), dict)]
    named = {part.get("AttributeName") for one in made for part in one.get("KeySchema", [])}
    defined = {one.get("AttributeName") for one in request.get("AttributeDefinitions", [])}
    return operation == "UpdateTable" and bool(named - defined)
