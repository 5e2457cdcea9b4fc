"""Random schemas and random operations on them, good and bad, from a seed.

Domains are small on purpose: keys collide, conditions sometimes hold, sets overlap, pages end in the middle.
"""

import copy
import string

# The part of requests that is about tables instead of items.
CONTROL_SHARE = 0.08
COMPARATORS = ["=", "<>", "<", "<=", ">", ">="]
NAMES = ["a", "b", "c", "d", "n"]
STRINGS = ["", "x", "xy", "xyz", "ž", "0", "10", "zz"]
NUMBERS = ["0", "1", "-1", "2", "2.50", "1e3", "-0.001", "99999999999999999999999999999999999999", "1E-130", "7"]
BINARIES = ["", "AA==", "AAE=", "/w==", "eHl6"]


class Schema:
    """A table with up to two local and two global indexes, billed per request."""

    provisioned = protected = False

    def __init__(self, rng, name):
        self.name = name
        self.types = {"pk": rng.choice("SSN" + "B")}
        self.key = ["pk"]
        if rng.random() < 0.75:
            self.key.append("sk")
            self.types["sk"] = rng.choice("SSNB")
        self.indexes = {}
        for number in range(rng.choice([0, 0, 1, 2]) if len(self.key) == 2 else 0):
            attribute = f"l{number}"
            self.types[attribute] = rng.choice("SNB")
            self.indexes[f"local{number}"] = ("Local", ["pk", attribute], self.projection(rng))
        for number in range(rng.choice([0, 1, 1, 2])):
            key = [f"g{number}"]
            self.types[key[0]] = rng.choice("SN")
            if rng.random() < 0.6:
                key.append(rng.choice(["h", self.key[-1]]))
                self.types.setdefault(key[1], rng.choice("SN"))
            self.indexes[f"global{number}"] = ("Global", key, self.projection(rng))

    @staticmethod
    def projection(rng):
        kind = rng.choice(["ALL", "ALL", "KEYS_ONLY", "INCLUDE"])
        return {"ProjectionType": kind, **({"NonKeyAttributes": ["a", "c"]} if kind == "INCLUDE" else {})}

    @classmethod
    def described(cls, table):
        """The schema that a table's description tells."""
        schema = cls.__new__(cls)
        names = lambda key: [part["AttributeName"] for part in key]
        schema.name, schema.key = table["TableName"], names(table["KeySchema"])
        schema.provisioned = table.get("BillingModeSummary", {}).get("BillingMode") != "PAY_PER_REQUEST"
        schema.protected = table.get("DeletionProtectionEnabled", False)
        schema.types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
        schema.indexes = {
            one["IndexName"]: (kind, names(one["KeySchema"]), one["Projection"])
            for kind in ("Local", "Global")
            for one in table.get(f"{kind}SecondaryIndexes", [])
        }
        return schema

    def holds(self, index, attribute):
        """Whether an index has that attribute of its items."""
        _, names, projection = self.indexes[index]
        kept = self.key + names + projection.get("NonKeyAttributes", [])
        return projection["ProjectionType"] == "ALL" or attribute in kept


class Generator:
    """Requests for one sequence."""

    def __init__(self, rng, tables, control):
        """`tables` are the schemas there are, by name; whoever makes or drops a table keeps them true."""
        self.rng, self.tables, self.control = rng, tables, control

    @property
    def schemas(self):
        return list(self.tables.values())

    def pick(self, options):
        return self.rng.choice(options)

    def chance(self, share):
        return self.rng.random() < share

    def key_value(self, kind):
        if kind == "S":
            return {"S": self.pick(["x", "xy", "xyz", "ž", "10", "9"])}
        if kind == "N":
            return {"N": self.pick(["0", "1", "-1", "2.5", "10", "9", "1e2"])}
        return {"B": self.pick(["AA==", "AAE=", "/w==", "eHl6"])}

    def value(self, depth=0):
        kind = self.pick(["S", "S", "N", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M"][: 10 if depth > 1 else 12])
        if kind == "S":
            return {"S": self.pick(STRINGS)}
        if kind == "N":
            return {"N": self.pick(NUMBERS)}
        if kind == "B":
            return {"B": self.pick(BINARIES)}
        if kind == "BOOL":
            return {"BOOL": self.chance(0.5)}
        if kind == "NULL":
            return {"NULL": True}
        if kind == "SS":
            return {"SS": self.rng.sample(["x", "xy", "y", "z"], self.rng.randint(1, 3))}
        if kind == "NS":
            return {"NS": self.rng.sample(["1", "2", "3.5", "-4"], self.rng.randint(1, 3))}
        if kind == "BS":
            return {"BS": self.rng.sample(["AA==", "AQ==", "/w=="], self.rng.randint(1, 2))}
        if kind == "L":
            return {"L": [self.value(depth + 1) for _ in range(self.rng.randint(0, 3))]}
        return {"M": {name: self.value(depth + 1) for name in self.rng.sample(NAMES, self.rng.randint(0, 3))}}

    def key(self, schema, names=None):
        return {name: self.key_value(schema.types[name]) for name in names or schema.key}

    def item(self, schema):
        item = self.key(schema)
        for name in schema.types:
            if name not in schema.key and self.chance(0.6):
                item[name] = self.key_value(schema.types[name])
        for name in self.rng.sample(NAMES, self.rng.randint(0, 4)):
            item[name] = self.value()
        return item

    # Expressions. `bag` gathers the placeholders.

    def path(self, bag, schema):
        name = self.pick(NAMES + NAMES + list(schema.types))
        if self.chance(0.5):
            placeholder = f"#{name}"
            bag["names"][placeholder] = name
            text = placeholder
        else:
            text = name
        for _ in range(self.pick([0, 0, 0, 1, 1, 2])):
            text += self.pick(["[0]", "[1]", "[3]", ".a", ".b", ".c"])
        return text

    def literal(self, bag, value=None):
        placeholder = f":v{len(bag['values'])}"
        bag["values"][placeholder] = self.value(1) if value is None else value
        return placeholder

    def operand(self, bag, schema):
        roll = self.rng.random()
        if roll < 0.5:
            return self.path(bag, schema)
        if roll < 0.9:
            return self.literal(bag)
        return f"size({self.path(bag, schema)})"

    def condition(self, bag, schema, depth=0):
        roll = self.rng.random()
        if depth < 2 and roll < 0.15:
            joint = self.pick([" AND ", " OR "])
            return joint.join(self.condition(bag, schema, depth + 1) for _ in range(2))
        if depth < 2 and roll < 0.22:
            return f"NOT {self.condition(bag, schema, depth + 1)}"
        if depth < 2 and roll < 0.3:
            return f"({self.condition(bag, schema, depth + 1)})"
        if roll < 0.45:
            return f"{self.pick(['attribute_exists', 'attribute_not_exists'])}({self.path(bag, schema)})"
        if roll < 0.52:
            kind = self.literal(bag, {"S": self.pick(["S", "N", "B", "SS", "NS", "BS", "L", "M", "NULL", "BOOL"])})
            return f"attribute_type({self.path(bag, schema)}, {kind})"
        if roll < 0.6:
            start = self.literal(bag, self.pick([{"S": "x"}, {"S": ""}, {"B": "AA=="}]))
            return f"begins_with({self.path(bag, schema)}, {start})"
        if roll < 0.68:
            return f"contains({self.path(bag, schema)}, {self.literal(bag)})"
        if roll < 0.74:
            low, high = sorted(self.rng.sample(range(-2, 12), 2))
            return (
                f"{self.path(bag, schema)} BETWEEN {self.literal(bag, {'N': str(low)})} AND {self.literal(bag, {'N': str(high)})}"
            )
        if roll < 0.8:
            options = ", ".join(self.literal(bag) for _ in range(self.rng.randint(1, 3)))
            return f"{self.path(bag, schema)} IN ({options})"
        return f"{self.path(bag, schema)} {self.pick(COMPARATORS)} {self.operand(bag, schema)}"

    def update(self, bag, schema):
        paths = iter(self.rng.sample(["a", "b", "c", "d", "n", "b.a", "c[0]", "d.b"], 5))
        clauses = []
        if self.chance(0.8):
            sets = []
            for _ in range(self.rng.randint(1, 2)):
                target = next(paths)
                roll = self.rng.random()
                if roll < 0.45:
                    right = self.literal(bag)
                elif roll < 0.55:
                    right = self.path(bag, schema)
                elif roll < 0.7:
                    right = f"{target} {self.pick('+-')} {self.literal(bag, {'N': self.pick(['1', '0.5', '-7'])})}"
                elif roll < 0.85:
                    right = f"if_not_exists({target}, {self.literal(bag)})"
                else:
                    right = f"list_append({target}, {self.literal(bag, {'L': [{'S': 'x'}]})})"
                sets.append(f"{target} = {right}")
            clauses.append("SET " + ", ".join(sets))
        if self.chance(0.3):
            clauses.append("REMOVE " + next(paths))
        if self.chance(0.3):
            clauses.append(f"ADD {next(paths)} {self.literal(bag, self.pick([{'N': '1'}, {'NS': ['1', '9']}, {'SS': ['x', 'q']}]))}")
        if self.chance(0.2):
            clauses.append(f"DELETE {next(paths)} {self.literal(bag, self.pick([{'SS': ['x']}, {'NS': ['1', '2']}]))}")
        return " ".join(clauses) or f"SET a = {self.literal(bag)}"

    @staticmethod
    def placeholders(request, bag):
        if bag["names"]:
            request["ExpressionAttributeNames"] = bag["names"]
        if bag["values"]:
            request["ExpressionAttributeValues"] = bag["values"]
        return request

    @staticmethod
    def bag():
        return {"names": {}, "values": {}}

    def conditional(self, request, schema, bag, share=0.4):
        if self.chance(share):
            request["ConditionExpression"] = self.condition(bag, schema)
            if self.chance(0.4):
                request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return self.placeholders(request, bag)

    # Operations.

    def put_item(self, schema):
        request = {"TableName": schema.name, "Item": self.item(schema), "ReturnValues": self.pick(["NONE", "ALL_OLD"])}
        return "PutItem", self.conditional(request, schema, self.bag(), 0.25)

    def delete_item(self, schema):
        request = {"TableName": schema.name, "Key": self.key(schema), "ReturnValues": self.pick(["NONE", "ALL_OLD"])}
        return "DeleteItem", self.conditional(request, schema, self.bag(), 0.3)

    def update_item(self, schema):
        bag = self.bag()
        request = {
            "TableName": schema.name,
            "Key": self.key(schema),
            "UpdateExpression": self.update(bag, schema),
            "ReturnValues": self.pick(["NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"]),
        }
        return "UpdateItem", self.conditional(request, schema, bag, 0.3)

    def projection(self, request, schema, bag):
        if self.chance(0.3):
            paths = self.rng.sample(["a", "b.a", "c[0]", "c[2]", "d", "n", "pk"], self.rng.randint(1, 3))
            request["ProjectionExpression"] = ", ".join(paths)
        return request

    def get_item(self, schema):
        request = {"TableName": schema.name, "Key": self.key(schema), "ConsistentRead": self.chance(0.4)}
        return "GetItem", self.projection(request, schema, self.bag())

    def key_condition(self, bag, schema, names):
        terms = [f"{names[0]} = {self.literal(bag, self.key_value(schema.types[names[0]]))}"]
        if len(names) == 2 and self.chance(0.7):
            kind = schema.types[names[1]]
            roll = self.rng.random()
            if roll < 0.2 and kind != "N":
                terms.append(f"begins_with({names[1]}, {self.literal(bag, {'S': 'x'} if kind == 'S' else {'B': 'AA=='})})")
            elif roll < 0.4:
                ends = [self.literal(bag, self.key_value(kind)) for _ in range(2)]
                terms.append(f"{names[1]} BETWEEN {ends[0]} AND {ends[1]}")
            else:
                comparator = self.pick(["=", "<", "<=", ">", ">="])
                terms.append(f"{names[1]} {comparator} {self.literal(bag, self.key_value(kind))}")
            self.rng.shuffle(terms)
        return " AND ".join(terms)

    def index(self, schema, request):
        names = schema.key
        if schema.indexes and self.chance(0.5):
            request["IndexName"] = self.pick(sorted(schema.indexes))
            kind, names, _ = schema.indexes[request["IndexName"]]
            if kind == "Global" and self.chance(0.9):
                request["ConsistentRead"] = False
        return names

    def read_options(self, request, schema, bag):
        if self.chance(0.35):
            attributes = [n for n in NAMES if n not in schema.types]
            saved = schema.types
            request["FilterExpression"] = self.condition(bag, _Only(schema, {n: "S" for n in attributes}))
            schema.types = saved
        if self.chance(0.2):
            request["Select"] = self.pick(["COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"])
        elif self.chance(0.3):
            self.projection(request, schema, bag)
        if self.chance(0.3):
            request["Limit"] = self.rng.randint(1, 4)
        return self.placeholders(request, bag)

    def query(self, schema):
        request, bag = {"TableName": schema.name, "ConsistentRead": self.chance(0.3)}, self.bag()
        names = self.index(schema, request)
        request["KeyConditionExpression"] = self.key_condition(bag, schema, names)
        if self.chance(0.4):
            request["ScanIndexForward"] = self.chance(0.5)
        return "Query", self.read_options(request, schema, bag)

    def scan(self, schema):
        request, bag = {"TableName": schema.name, "ConsistentRead": self.chance(0.3)}, self.bag()
        self.index(schema, request)
        return "Scan", self.read_options(request, schema, bag)

    def batch_get_item(self, schema):
        tables = {}
        for table in self.rng.sample(self.schemas, self.rng.randint(1, len(self.schemas))):
            keys = []
            for _ in range(self.rng.randint(1, 6)):
                key = self.key(table)
                if key not in keys:
                    keys.append(key)
            tables[table.name] = {"Keys": keys, "ConsistentRead": self.chance(0.3)}
        return "BatchGetItem", {"RequestItems": tables}

    def batch_write_item(self, schema):
        tables = {}
        for table in self.rng.sample(self.schemas, self.rng.randint(1, len(self.schemas))):
            writes, keys = [], []
            for _ in range(self.rng.randint(1, 6)):
                item = self.item(table)
                key = {name: item[name] for name in table.key}
                if key in keys:
                    continue
                keys.append(key)
                writes.append({"PutRequest": {"Item": item}} if self.chance(0.7) else {"DeleteRequest": {"Key": key}})
            tables[table.name] = writes
        return "BatchWriteItem", {"RequestItems": tables}

    def transact_write_items(self, schema):
        actions, seen = [], []
        for _ in range(self.rng.randint(1, 4)):
            table = self.pick(self.schemas)
            kind, bag = self.pick(["Put", "Update", "Delete", "ConditionCheck"]), self.bag()
            item = self.item(table)
            key = {name: item[name] for name in table.key}
            if (table.name, key) in seen and self.chance(0.9):
                continue
            seen.append((table.name, key))
            action = {"TableName": table.name}
            action["Item" if kind == "Put" else "Key"] = item if kind == "Put" else key
            if kind == "Update":
                action["UpdateExpression"] = self.update(bag, table)
            # Local judges conditions that look into a key in three ways by kind of action; single writes cover them.
            self.conditional(action, _Only(table, {}), bag, 1 if kind == "ConditionCheck" else 0.3)
            actions.append({kind: action})
        return "TransactWriteItems", {"TransactItems": actions}

    def transact_get_items(self, schema):
        gets = [{"Get": {"TableName": t.name, "Key": self.key(t)}} for t in self.rng.choices(self.schemas, k=3)]
        unique = [get for n, get in enumerate(gets) if get not in gets[:n]]
        return "TransactGetItems", {"TransactItems": unique}

    def legacy(self, schema):
        """The parameters from before expressions."""
        roll = self.rng.random()
        test = lambda: self.pick(
            [
                {"ComparisonOperator": "EQ", "AttributeValueList": [self.value(2)]},
                {"ComparisonOperator": "NULL"},
                {"ComparisonOperator": "NOT_NULL"},
                {"ComparisonOperator": "GT", "AttributeValueList": [{"N": "1"}]},
                {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"N": "0"}, {"N": "9"}]},
                {"ComparisonOperator": "CONTAINS", "AttributeValueList": [{"S": "x"}]},
                {"ComparisonOperator": "NOT_CONTAINS", "AttributeValueList": [{"S": "x"}]},
                {"ComparisonOperator": "BEGINS_WITH", "AttributeValueList": [{"S": "x"}]},
                {"ComparisonOperator": "IN", "AttributeValueList": [{"S": "x"}, {"S": "xy"}]},
            ]
        )
        attributes = {n: test() for n in self.rng.sample(NAMES, self.rng.randint(1, 2))}
        joined = {"ConditionalOperator": self.pick(["AND", "OR"])} if len(attributes) > 1 else {}
        if roll < 0.25:
            return "PutItem", {"TableName": schema.name, "Item": self.item(schema), "Expected": attributes, **joined}
        if roll < 0.5:
            updates = {
                n: self.pick(
                    [
                        {"Action": "PUT", "Value": self.value(1)},
                        {"Action": "DELETE"},
                        {"Action": "ADD", "Value": {"N": "2"}},
                        {"Action": "ADD", "Value": {"SS": ["x"]}},
                        {"Action": "DELETE", "Value": {"SS": ["x"]}},
                    ]
                )
                for n in self.rng.sample(NAMES, 2)
            }
            return "UpdateItem", {
                "TableName": schema.name, "Key": self.key(schema), "AttributeUpdates": updates, "ReturnValues": "ALL_NEW",
            }
        if roll < 0.75:
            return "Scan", {"TableName": schema.name, "ScanFilter": attributes, **joined}
        conditions = {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [self.key_value(schema.types["pk"])]}}
        return "Query", {
            "TableName": schema.name, "KeyConditions": conditions, "QueryFilter": attributes, **joined,
            "AttributesToGet": ["pk", "a"],
        }

    OPERATIONS = (
        ["put_item"] * 8 + ["update_item"] * 6 + ["get_item"] * 4 + ["query"] * 6 + ["delete_item"] * 2 + ["scan"] * 3
        + ["batch_get_item", "batch_write_item", "transact_write_items", "transact_write_items", "transact_get_items"]
        + ["legacy"] * 3
    )

    def request(self):
        if self.chance(CONTROL_SHARE):
            operation, request = self.control.request(self.tables)
        else:
            schema = self.pick(self.schemas)
            operation, request = getattr(self, self.pick(self.OPERATIONS))(schema)
        if self.chance(0.12):
            request = self.spoil(request)
        return operation, request

    def spoil(self, request):
        """The same request with one thing wrong somewhere."""
        request = copy.deepcopy(request)
        places = []

        def walk(node):
            if isinstance(node, dict):
                places.extend((node, name) for name in node)
                for child in node.values():
                    walk(child)
            elif isinstance(node, list):
                places.extend((node, n) for n in range(len(node)))
                for child in node:
                    walk(child)

        walk(request)
        if not places:
            return request
        node, name = self.pick(places)
        value = node[name]
        if isinstance(value, str) and name not in ("S", "B"):
            node[name] = self.pick(
                ["", value + self.pick(string.ascii_letters), value[:-1], value.replace(":", "#"), value + " AND", "x" * 300]
            )
        elif isinstance(value, bool):
            node[name] = not value
        elif isinstance(value, int):
            node[name] = self.pick([0, -1, value + 1])
        elif name == "M":
            # DynamoDB Local stores a map that holds bare strings; what it holds from then on differs.
            node[name] = "x"
        elif isinstance(value, dict):
            node[name] = self.pick([{}, {"S": "x"}, {"N": "1"}, {"N": "abc"}, {"SS": []}, {"NS": ["1", "1.0"]}, {"N": "1e999"}])
        elif isinstance(node, dict):
            del node[name]
        return request


class _Only:
    """A schema that shows other attributes to the expressions of a filter, where key attributes are refused."""

    def __init__(self, schema, types):
        self.name, self.key, self.types = schema.name, schema.key, types or {"a": "S"}
