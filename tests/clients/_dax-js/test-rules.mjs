// What these clients do that a node must bear: a test for each, named by the rule.
import assert from "node:assert/strict";
import { test } from "node:test";

import { requested } from "./counters.mjs";
import { assertSame } from "./values.mjs";

const KEY = { id: { S: "rules" } };

export default function ({ client, dax, http, things: TableName, scores }) {
  test("each method has its own number of values and nothing else parts them", async () => {
    // One request at a time, so on one connection: whatever is read too short or too long shows in the next answer.
    const item = { ...KEY, n: { N: "1" }, text: { S: "x".repeat(5000) } };
    const player = { game: { S: "frames" }, player: { S: "p" } };
    const read = async () => assertSame((await dax.getItem({ TableName, Key: KEY })).Item, item);
    for (let n = 0; n < 3; n++) {
      await dax.putItem({ TableName, Item: item });
      await read();
      // Three elements behind an array of two.
      const batch = await dax.batchGetItem({
        RequestItems: { [TableName]: { Keys: [KEY] }, [scores]: { Keys: [player] } }, ReturnConsumedCapacity: "TOTAL",
      });
      assertSame(batch.Responses[TableName][0], item);
      assert.deepEqual(batch.Responses[scores], []);
      await read();
      // Three values without an array.
      const written = await dax.batchWriteItem({
        RequestItems: { [scores]: [{ PutRequest: { Item: player } }], [TableName]: [{ DeleteRequest: { Key: { id: { S: "none" } } } }] },
        ReturnItemCollectionMetrics: "SIZE",
      });
      assert.deepEqual(Object.keys(written.ItemCollectionMetrics), [scores]);
      await read();
      await dax.transactWriteItems({ TransactItems: [{ Delete: { TableName: scores, Key: player } }] });
      const gone = await dax.transactGetItems({ TransactItems: [{ Get: { TableName: scores, Key: player } }] });
      assert.deepEqual(gone.Responses, [{}]);
      const values = { ":g": { S: "frames" } };
      const found = await dax.query({ TableName: scores, KeyConditionExpression: "game = :g", ExpressionAttributeValues: values });
      assert.deepEqual(found.Items, []);
      assertSame((await dax.deleteItem({ TableName, Key: KEY, ReturnValues: "ALL_OLD" })).Attributes, item);
    }
  });

  test("an item that is not there is left out", async () => {
    // Of one sent as null these clients make an item that has just its key.
    const Key = { id: { S: "never written" } };
    for (const how of [{}, { ConsistentRead: true }, { ProjectionExpression: "n" }]) {
      assert.deepEqual(await dax.getItem({ TableName, Key, ...how }), {});
    }
    assert.deepEqual((await dax.batchGetItem({ RequestItems: { [TableName]: { Keys: [Key] } } })).Responses, { [TableName]: [] });
    assert.deepEqual((await dax.transactGetItems({ TransactItems: [{ Get: { TableName, Key } }] })).Responses, [{}]);
  });

  test("numbers are sent as doubles where those print the same", async () => {
    // And whole ones from 2^53 on as bignums, though they would fit an integer.
    const numbers = ["0.1", "-0.001", "1.5", "123456.789", "1e21", "0.30000000000000004", "9007199254740992", "4503599627370497.5"];
    const item = { ...KEY, ...Object.fromEntries(numbers.map((N, at) => [`n${at}`, { N }])) };
    await dax.putItem({ TableName, Item: item });
    assertSame((await http.getItem({ TableName, Key: KEY })).Item, item);
    // The sum of 0.1 and 0.2 is 0.3 here, as nowhere in doubles.
    await dax.updateItem({ TableName, Key: KEY, UpdateExpression: "SET n0 = n0 + :n", ExpressionAttributeValues: { ":n": { N: "0.2" } } });
    assert.deepEqual((await http.getItem({ TableName, Key: KEY })).Item.n0, { N: "0.3" });
  });

  test("attributes of a map come in the order they were made in", async () => {
    const M = { z: { N: "1" }, a: { N: "2" }, m: { N: "3" } };
    await dax.putItem({ TableName, Item: { ...KEY, map: { M } } });
    const equal = { ConditionExpression: "#m = :m", ExpressionAttributeNames: { "#m": "map" } };
    const sorted = { M: { a: M.a, m: M.m, z: M.z } };
    await dax.putItem({ TableName, Item: KEY, ...equal, ExpressionAttributeValues: { ":m": sorted } });
  });

  test("a failed condition is tried once and a cancelled transaction twice", async () => {
    await dax.putItem({ TableName, Item: KEY });
    const check = { ConditionExpression: "attribute_not_exists(id)", TableName };
    const puts = await requested("PutItem", () =>
      assert.rejects(dax.putItem({ Item: KEY, ...check }), { code: "ConditionalCheckFailedException" }));
    const put = { TableName, Item: { id: { S: "never by this" } } };
    const items = { TransactItems: [{ Put: put }, { ConditionCheck: { Key: KEY, ...check } }] };
    const transactions = await requested("TransactWriteItems", () =>
      assert.rejects(dax.transactWriteItems(items), { code: "TransactionCanceledException" }));
    assert.deepEqual([puts, transactions], [1, 2]);
    assert.equal((await dax.getItem({ TableName, Key: put.Item, ConsistentRead: true })).Item, undefined);
  });

  test("an error leaves the connection open and in step", async () => {
    for (let n = 0; n < 30; n++) {
      const refused = dax.putItem({ TableName, Item: KEY, ConditionExpression: "attribute_not_exists(id)" });
      await assert.rejects(refused, { code: "ConditionalCheckFailedException" });
      assert.deepEqual((await dax.getItem({ TableName, Key: KEY })).Item, KEY);
    }
  });

  test("names beyond the basic plane are sorted by each client in its own way", async () => {
    // By UTF-16 here, by code point in Python, as they come over HTTP: three lists of the same names.
    const item = { id: { S: "order" }, "\uffe5": { S: "a yen" }, "🐎": { S: "a horse" }, é: { S: "an e" }, z: { S: "a z" } };
    const Key = { id: item.id };
    await dax.putItem({ TableName, Item: item });
    assertSame((await dax.getItem({ TableName, Key })).Item, item);
    assertSame((await http.getItem({ TableName, Key })).Item, item);
    await http.putItem({ TableName, Item: Object.fromEntries(Object.entries(item).reverse()) });
    assertSame((await dax.getItem({ TableName, Key })).Item, item);
  });

  test("names that are reserved words are taken", async () => {
    // They are substituted before they are sent: nobody can tell `size` from `#s`.
    await dax.putItem({ TableName, Item: { ...KEY, size: { N: "1" }, name: { S: "n" } } });
    assert.deepEqual((await dax.getItem({ TableName, Key: KEY, ProjectionExpression: "size" })).Item, { size: { N: "1" } });
  });

  test("a request that arrives in pieces", async () => {
    // The client writes out its buffer whenever that holds 4096 bytes.
    for (const size of [4000, 4096, 4097, 8192, 65_536, 300_000]) {
      const item = { ...KEY, bytes: { B: Buffer.alloc(size, 7) } };
      await dax.putItem({ TableName, Item: item });
      assertSame((await dax.getItem({ TableName, Key: KEY, ConsistentRead: true })).Item, item);
    }
  });

  test("two hundred requests at a time, on connections of their own", async () => {
    // Names and schemas are asked for on other connections than the requests that wait for them.
    const many = client.connect(process.env.FOREBAY_DAX);
    const item = (at) => ({ id: { S: `parallel ${at}` }, [`attribute${at % 20}`]: { N: String(at) } });
    const all = Array.from({ length: 200 }, (_, at) => at);
    await Promise.all(all.map((at) => many.putItem({ TableName, Item: item(at) })));
    const found = await Promise.all(all.map((at) => many.getItem({ TableName, Key: { id: item(at).id } })));
    found.forEach((one, at) => assertSame(one.Item, item(at)));
    many.shutdown();
  });
}
