"""Random requests of the control plane: tables made, changed, described, listed and dropped, well and badly.

Tags and DescribeEndpoints are not here: DynamoDB Local answers them with UnknownOperationException.
"""

# Attributes that an added index may bring along, always of one type. Items whose attribute is of another type than the index's key are
# for tests of our own: DynamoDB Local's filling of an index dies of them.
NEW = {"e": "S", "f": "N"}


def key_schema(names):
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ["HASH", "RANGE"])]


def create(schema):
    """The request that makes a table."""
    request = {
        "TableName": schema.name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in schema.types.items()],
        "KeySchema": key_schema(schema.key),
    }
    for kind in ["Local", "Global"]:
        chosen = [
            {"IndexName": name, "KeySchema": key_schema(names), "Projection": projection}
            for name, (of, names, projection) in schema.indexes.items()
            if of == kind
        ]
        if chosen:
            request[f"{kind}SecondaryIndexes"] = chosen
    return request


class Control:
    """Requests about `own`, the names of tables that may come and go, and sometimes about the others."""

    def __init__(self, rng, own, new_schema):
        self.rng, self.own, self.new_schema = rng, own, new_schema

    def request(self, tables):
        """`tables` are the schemas there are, by name."""
        # Chosen for what they cost: DynamoDB Local takes about a second for an index.
        kinds = [self.create] * 6 + [self.describe] * 3 + [self.list] * 3 + [self.delete] * 3
        kinds += [self.bill] * 2 + [self.protect] * 2 + [self.add_index] * 2 + [self.remove_index]
        return self.rng.choice(kinds)(tables)

    def name(self, tables):
        return self.rng.choice([*tables, *self.own, "diff-none"])

    def create(self, tables):
        request = create(self.new_schema(self.rng, self.rng.choice(self.own)))
        if self.rng.random() < 0.5:
            self.rng.choice(FAULTS)(request)
        return "CreateTable", request

    def describe(self, tables):
        return "DescribeTable", {"TableName": self.name(tables)}

    def delete(self, tables):
        return "DeleteTable", {"TableName": self.rng.choice([*self.own, *self.own, "diff-none"])}

    def list(self, tables):
        request = {"Limit": self.rng.choice([1, 2, 3, 100, 0, 101])} if self.rng.random() < 0.7 else {}
        if self.rng.random() < 0.4:
            request["ExclusiveStartTableName"] = self.rng.choice([self.name(tables), "diff-", "zzz", "A-1"])
        return "ListTables", request

    def bill(self, tables):
        """Billing mode and throughput, together and apart."""
        request = {"TableName": self.name(tables)}
        if self.rng.random() < 0.7:
            request["BillingMode"] = self.rng.choice(["PROVISIONED", "PROVISIONED", "PAY_PER_REQUEST"])
        if self.rng.random() < 0.6:
            units = self.rng.choice([1, 5, 5, 0])
            request["ProvisionedThroughput"] = {"ReadCapacityUnits": units, "WriteCapacityUnits": 5}
        return "UpdateTable", request

    def protect(self, tables):
        request = {"TableName": self.rng.choice([*self.own, "diff-none"])}
        if self.rng.random() < 0.9:
            request["DeletionProtectionEnabled"] = self.rng.random() < 0.5
        return "UpdateTable", request

    def add_index(self, tables):
        table = self.rng.choice(list(tables.values()))
        known = {**NEW, **table.types}
        names = self.rng.sample(list(known), self.rng.choice([1, 1, 2]))
        types = {name: known[name] for name in names}
        if self.rng.random() < 0.2:
            types.popitem()
        create = {
            "IndexName": self.rng.choice(["added0", "added1", "global0"]),
            "KeySchema": key_schema(names),
            "Projection": table.projection(self.rng),
        }
        return "UpdateTable", {
            "TableName": table.name,
            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in types.items()],
            "GlobalSecondaryIndexUpdates": [{"Create": create}],
        }

    def remove_index(self, tables):
        table = self.rng.choice(list(tables.values()))
        known = [name for name, (kind, _, _) in table.indexes.items() if kind == "Global"]
        name = self.rng.choice([*known, "added0", "none"])
        return "UpdateTable", {
            "TableName": table.name,
            "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}],
        }


def fault(change):
    FAULTS.append(change)
    return change


FAULTS = []


def indexes(request):
    return [one for kind in ("Local", "Global") for one in request.get(f"{kind}SecondaryIndexes", [])]


@fault
def a_key_without_definition(request):
    request["AttributeDefinitions"].pop()


@fault
def a_definition_without_key(request):
    request["AttributeDefinitions"].append({"AttributeName": "unused", "AttributeType": "S"})


@fault
def a_definition_twice(request):
    request["AttributeDefinitions"].append(request["AttributeDefinitions"][0])


@fault
def two_partition_keys(request):
    request["KeySchema"] = key_schema(["pk"]) + key_schema(["sk"])


@fault
def a_sort_key_alone(request):
    request["KeySchema"] = [{"AttributeName": "pk", "KeyType": "RANGE"}]


@fault
def one_attribute_as_both_keys(request):
    request["KeySchema"] = key_schema(["pk", "pk"])


@fault
def a_type_no_key_can_have(request):
    request["AttributeDefinitions"][0] = {"AttributeName": "pk", "AttributeType": "BOOL"}


@fault
def one_name_for_two_indexes(request):
    for one in indexes(request):
        one["IndexName"] = "same"


@fault
def an_index_name_that_is_too_short(request):
    for one in indexes(request):
        one["IndexName"] = "ab"


@fault
def a_table_name_that_is_too_short(request):
    request["TableName"] = "ab"


@fault
def attributes_beside_all(request):
    for one in indexes(request):
        one["Projection"] = {"ProjectionType": "ALL", "NonKeyAttributes": ["a"]}


@fault
def include_without_attributes(request):
    for one in indexes(request):
        one["Projection"] = {"ProjectionType": "INCLUDE"}


@fault
def one_attribute_included_twice(request):
    for one in indexes(request):
        one["Projection"] = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["a", "a"]}


@fault
def a_local_index_of_another_partition_key(request):
    local = {"IndexName": "local9", "KeySchema": key_schema(["sk", "pk"]), "Projection": {"ProjectionType": "ALL"}}
    request["LocalSecondaryIndexes"] = [local]


@fault
def six_local_indexes(request):
    index = {"KeySchema": key_schema(["pk", "sk"]), "Projection": {"ProjectionType": "KEYS_ONLY"}}
    request["LocalSecondaryIndexes"] = [{"IndexName": f"local{n}", **index} for n in range(6)]


@fault
def twenty_one_global_indexes(request):
    index = {"KeySchema": key_schema(["pk"]), "Projection": {"ProjectionType": "KEYS_ONLY"}}
    request["GlobalSecondaryIndexes"] = [{"IndexName": f"global{n}", **index} for n in range(21)]


@fault
def throughput_without_need(request):
    request["ProvisionedThroughput"] = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}


@fault
def no_throughput(request):
    request["BillingMode"] = "PROVISIONED"


@fault
def provisioned(request):
    """No fault of itself, but each global index wants its own throughput."""
    request["BillingMode"] = "PROVISIONED"
    request["ProvisionedThroughput"] = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}


@fault
def provisioned_throughout(request):
    """No fault at all."""
    provisioned(request)
    for one in request.get("GlobalSecondaryIndexes", []):
        one["ProvisionedThroughput"] = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2}


@fault
def protected(request):
    """No fault of itself: DeleteTable is refused."""
    request["DeletionProtectionEnabled"] = True


@fault
def a_billing_mode_there_is_not(request):
    request["BillingMode"] = "FREE"
