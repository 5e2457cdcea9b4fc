// Conditions, filters and updates: every function and operator.
import assert from "node:assert/strict";
import { before, test } from "node:test";

import { assertSame, cases, item } from "./values.mjs";

function namesAndValues({ names, values = {} }, more = {}) {
  const all = { ...item(values), ...more };
  return {
    ...(Object.keys(all).length > 0 && { ExpressionAttributeValues: all }),
    ...(names && { ExpressionAttributeNames: names }),
  };
}

// Whether the condition of a write held.
async function holds(write) {
  try {
    await write;
    return true;
  } catch (error) {
    assert.match(error.code, /^(ConditionalCheckFailed|TransactionCanceled)Exception$/, error);
    return false;
  }
}

// Of SET n = :n, m.x = :x, fresh = :n REMOVE gone on { n: 1, m: { x: 1, y: 2 }, gone: 3, kept: 4 }.
const RETURN_VALUES = {
  ALL_OLD: { id: { S: "returned" }, n: { N: "1" }, m: { M: { x: { N: "1" }, y: { N: "2" } } }, gone: { N: "3" }, kept: { N: "4" } },
  ALL_NEW: { id: { S: "returned" }, n: { N: "7" }, m: { M: { x: { N: "8" }, y: { N: "2" } } }, fresh: { N: "7" }, kept: { N: "4" } },
  UPDATED_OLD: { n: { N: "1" }, m: { M: { x: { N: "1" } } }, gone: { N: "3" } },
  UPDATED_NEW: { n: { N: "7" }, m: { M: { x: { N: "8" } } }, fresh: { N: "7" } },
  NONE: undefined,
};

const LEGACY_FILTERS = {
  EQ: [["5"], true], NE: [["5"], false], LT: [["6"], true], LE: [["4"], false], GT: [["4"], true], GE: [["5"], true],
  BETWEEN: [["1", "5"], true], IN: [["1", "5"], true], NULL: [undefined, false], NOT_NULL: [undefined, true],
};

export default function ({ dax, things: TableName }) {
  const document = item(cases("document"));
  before(() => dax.putItem({ TableName, Item: document }));

  for (const one of cases("conditions")) {
    test(`${one.expression} holds${one.holds ? "" : " not"}`, async () => {
      const found = await dax.query({
        TableName,
        KeyConditionExpression: "id = :document",
        FilterExpression: one.expression,
        ...namesAndValues(one, { ":document": document.id }),
      });
      assert.deepEqual([found.Count, found.ScannedCount], [Number(one.holds), 1]);
      const how = { TableName, ConditionExpression: one.expression, ...namesAndValues(one) };
      assert.equal(await holds(dax.putItem({ Item: document, ...how })), one.holds);
      const check = { ConditionCheck: { Key: { id: document.id }, ...how } };
      assert.equal(await holds(dax.transactWriteItems({ TransactItems: [check] })), one.holds);
    });
  }

  test("a failed condition stops each kind of write", async () => {
    const key = { id: document.id };
    const how = { TableName, ConditionExpression: "attribute_not_exists(id)" };
    const change = { UpdateExpression: "SET n = :n", ExpressionAttributeValues: { ":n": { N: "6" } } };
    assert.equal(await holds(dax.putItem({ Item: key, ...how })), false);
    assert.equal(await holds(dax.deleteItem({ Key: key, ...how })), false);
    assert.equal(await holds(dax.updateItem({ Key: key, ...change, ...how })), false);
    for (const [name, what] of Object.entries({ Put: { Item: key }, Delete: { Key: key }, Update: { Key: key, ...change } })) {
      assert.equal(await holds(dax.transactWriteItems({ TransactItems: [{ [name]: { ...what, ...how } }] })), false);
    }
    assertSame((await dax.getItem({ TableName, Key: key, ConsistentRead: true })).Item, document);
  });

  for (const one of cases("updates")) {
    test(one.name, async () => {
      const key = { id: { S: `update: ${one.name}` } };
      const [old, after] = [{ ...item(one.before), ...key }, { ...item(one.after), ...key }];
      const update = { TableName, Key: key, UpdateExpression: one.expression, ...namesAndValues(one) };
      await dax.putItem({ TableName, Item: old });
      assertSame((await dax.updateItem({ ReturnValues: "ALL_NEW", ...update })).Attributes, after);
      assertSame((await dax.getItem({ TableName, Key: key })).Item, after);
      await dax.putItem({ TableName, Item: old });
      await dax.transactWriteItems({ TransactItems: [{ Update: update }] });
      assertSame((await dax.getItem({ TableName, Key: key })).Item, after);
    });
  }

  for (const [ReturnValues, wanted] of Object.entries(RETURN_VALUES)) {
    test(`an update returns ${ReturnValues}`, async () => {
      await dax.putItem({ TableName, Item: RETURN_VALUES.ALL_OLD });
      const answer = await dax.updateItem({
        TableName,
        Key: { id: { S: "returned" } },
        UpdateExpression: "SET n = :n, m.x = :x, fresh = :n REMOVE gone",
        ExpressionAttributeValues: { ":n": { N: "7" }, ":x": { N: "8" } },
        ReturnValues,
      });
      assertSame(answer.Attributes, wanted);
    });
  }

  test("put and delete return the old item where there was one", async () => {
    const key = { id: { S: "old and new" } };
    const [old, fresh] = [{ ...key, n: { N: "1" } }, { ...key, s: { S: "x" } }];
    const ReturnValues = "ALL_OLD";
    assert.equal((await dax.putItem({ TableName, Item: old, ReturnValues })).Attributes, undefined);
    assertSame((await dax.putItem({ TableName, Item: fresh, ReturnValues })).Attributes, old);
    assert.equal((await dax.putItem({ TableName, Item: fresh })).Attributes, undefined);
    assertSame((await dax.deleteItem({ TableName, Key: key, ReturnValues })).Attributes, fresh);
    assert.equal((await dax.deleteItem({ TableName, Key: key, ReturnValues })).Attributes, undefined);
    // An item that has nothing but its key.
    await dax.putItem({ TableName, Item: key });
    assert.deepEqual((await dax.getItem({ TableName, Key: key })).Item, key);
  });

  const legacyWrites = {
    "Expected and AttributeUpdates": (key) => dax.updateItem({
      TableName,
      Key: key,
      Expected: { n: { ComparisonOperator: "GE", AttributeValueList: [{ N: "1" }] }, absent: { Exists: false } },
      AttributeUpdates: {
        n: { Action: "ADD", Value: { N: "1" } },
        s: { Action: "PUT", Value: { S: "new" } },
        tags: { Action: "DELETE", Value: { SS: ["a"] } },
        gone: { Action: "DELETE" },
      },
    }),
    "Expected with OR": (key) => dax.putItem({
      TableName,
      Item: { ...key, n: { N: "2" }, s: { S: "new" }, tags: { SS: ["b"] } },
      Expected: {
        n: { ComparisonOperator: "BETWEEN", AttributeValueList: [{ N: "8" }, { N: "9" }] },
        s: { ComparisonOperator: "BEGINS_WITH", AttributeValueList: [{ S: "ol" }] },
      },
      ConditionalOperator: "OR",
    }),
  };

  for (const [name, write] of Object.entries(legacyWrites)) {
    test(`legacy parameters of writes: ${name}`, async () => {
      const key = { id: { S: `legacy: ${name}` } };
      await dax.putItem({ TableName, Item: { ...key, n: { N: "1" }, s: { S: "old" }, tags: { SS: ["a", "b"] }, gone: { NULL: true } } });
      await write(key);
      assertSame((await dax.getItem({ TableName, Key: key })).Item, { ...key, n: { N: "2" }, s: { S: "new" }, tags: { SS: ["b"] } });
      const unmet = { n: { ComparisonOperator: "LT", AttributeValueList: [{ N: "0" }] } };
      assert.equal(await holds(dax.deleteItem({ TableName, Key: key, Expected: unmet })), false);
      await dax.deleteItem({ TableName, Key: key, Expected: { s: { Value: { S: "new" } } } });
      assert.equal((await dax.getItem({ TableName, Key: key })).Item, undefined);
    });
  }

  for (const [ComparisonOperator, [operands, found]] of Object.entries(LEGACY_FILTERS)) {
    test(`legacy parameters of reads: ${ComparisonOperator}`, async () => {
      const condition = { ComparisonOperator, ...(operands && { AttributeValueList: operands.map((N) => ({ N })) }) };
      const id = { ComparisonOperator: "EQ", AttributeValueList: [document.id] };
      const how = { TableName, AttributesToGet: ["s", "dotted.name"] };
      const wanted = { s: document.s, "dotted.name": document["dotted.name"] };
      assert.deepEqual((await dax.query({ KeyConditions: { id }, QueryFilter: { n: condition }, ...how })).Items, found ? [wanted] : []);
      const scan = { ScanFilter: { id, n: condition }, ConditionalOperator: "AND", ...how };
      assert.deepEqual((await dax.scan(scan)).Items, found ? [wanted] : []);
      assert.deepEqual((await dax.getItem({ Key: { id: document.id }, ...how })).Item, wanted);
    });
  }

  test("legacy containment", async () => {
    const count = async (conditions) => {
      const written = Object.entries(conditions).map(([name, [ComparisonOperator, one]]) => [name, { ComparisonOperator, AttributeValueList: [one] }]);
      const id = { ComparisonOperator: "EQ", AttributeValueList: [document.id] };
      return (await dax.scan({ TableName, ScanFilter: { id, ...Object.fromEntries(written) } })).Count;
    };
    assert.equal(await count({ ss: ["CONTAINS", { S: "red" }], s: ["CONTAINS", { S: "bet" }], b: ["BEGINS_WITH", { B: Buffer.of(1) }] }), 1);
    assert.equal(await count({ ns: ["NOT_CONTAINS", { N: "3" }] }), 1);
    assert.equal(await count({ ns: ["NOT_CONTAINS", { N: "2.5" }] }), 0);
    assert.equal(await count({ absent: ["NOT_CONTAINS", { N: "3" }] }), 0);
  });
}
