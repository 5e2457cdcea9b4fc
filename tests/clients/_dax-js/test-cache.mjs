// Where answers come from: counted at the node, operation by operation.
import assert from "node:assert/strict";
import { test } from "node:test";

import { counter, grows } from "./counters.mjs";
import { makeTable } from "./tables.mjs";

const hits = (cache, operation) => `forebay_${cache}_cache_hits_total${operation ? `{operation="${operation}"}` : ""}`;
const key = (name) => ({ id: { S: name } });
const times = async (count, body) => { for (let at = 0; at < count; at++) await body(at); };

export default function ({ dax, http, things: TableName, scores }) {
  const put = (name, table = TableName) => dax.putItem({ TableName: table, Item: { ...key(name), n: { N: "1" } } });

  test("a repeated getItem is a hit", async () => {
    await put("hot");
    await grows(hits("item", "GetItem"), 10, () => times(10, async (at) => {
      const how = at % 2 ? { ProjectionExpression: "n" } : {};
      assert.deepEqual((await dax.getItem({ TableName, Key: key("hot"), ...how })).Item.n, { N: "1" });
    }));
  });

  test("a repeated getItem of what is not there is a hit", async () => {
    await dax.getItem({ TableName, Key: key("nobody") });
    await grows(hits("item", "GetItem"), 10, () => times(10, async () => {
      assert.equal((await dax.getItem({ TableName, Key: key("nobody") })).Item, undefined);
    }), { pages: 1 });
    // And it ends with the first write.
    await put("nobody");
    assert.ok((await dax.getItem({ TableName, Key: key("nobody") })).Item);
  });

  test("a repeated batchGetItem is a hit for each key", async () => {
    const names = Array.from({ length: 20 }, (_, at) => `batch ${at}`);
    for (const name of names) await put(name);
    await grows(hits("item", "BatchGetItem"), 2 * names.length, () => times(2, async () => {
      const answer = await dax.batchGetItem({ RequestItems: { [TableName]: { Keys: names.map(key) } } });
      assert.equal(answer.Responses[TableName].length, names.length);
    }));
  });

  test("a repeated query is a hit, and sees the client's own writes", async () => {
    const values = { ":g": { S: "cached" } };
    const found = async (more) => (await dax.query({
      TableName: scores, KeyConditionExpression: "game = :g", ExpressionAttributeValues: values, ...more,
    })).Items.length;
    const both = async () => [await found(), await found({ IndexName: "by_points" })];
    await times(5, async (at) => {
      await dax.putItem({ TableName: scores, Item: { game: values[":g"], player: { S: `p${at}` }, points: { N: String(at) } } });
      assert.deepEqual(await both(), [at + 1, at + 1]);
    });
    await grows(hits("query"), 20, () => times(10, async () => assert.deepEqual(await both(), [5, 5])), { pages: 2 });
    await dax.deleteItem({ TableName: scores, Key: { game: values[":g"], player: { S: "p0" } } });
    assert.deepEqual(await both(), [4, 4]);
  });

  test("a repeated scan is a hit, and sees the client's own writes", async () => {
    const table = await makeTable(http, "scanned", { id: "S" });
    const count = async () => (await dax.scan({ TableName: table })).Count;
    await times(5, async (at) => {
      await put(`scan ${at}`, table);
      assert.equal(await count(), at + 1);
    });
    await grows(hits("scan"), 10, () => times(10, async () => assert.equal(await count(), 5)), { pages: 1 });
    await dax.batchWriteItem({ RequestItems: { [table]: [{ DeleteRequest: { Key: key("scan 0") } }] } });
    assert.equal(await count(), 4);
  });

  test("every kind of write is seen by the next read", async () => {
    const now = async () => (await dax.getItem({ TableName, Key: key("seen") })).Item?.n.N;
    const add = { UpdateExpression: "ADD n :n", ExpressionAttributeValues: { ":n": { N: "10" } } };
    await times(3, async (at) => {
      await dax.putItem({ TableName, Item: { ...key("seen"), n: { N: String(at) } } });
      assert.equal(await now(), String(at));
      await dax.updateItem({ TableName, Key: key("seen"), ...add });
      assert.equal(await now(), String(at + 10));
      await dax.transactWriteItems({ TransactItems: [{ Update: { TableName, Key: key("seen"), ...add } }] });
      assert.equal(await now(), String(at + 20));
      await dax.batchWriteItem({ RequestItems: { [TableName]: [{ DeleteRequest: { Key: key("seen") } }] } });
      assert.equal(await now(), undefined);
    });
  });

  test("strong reads and transactions never come from memory", async () => {
    await put("strong");
    const all = () => Promise.all(["item", "query", "scan"].map((cache) => counter(hits(cache))));
    const before = await all();
    const search = { KeyConditionExpression: "id = :id", ExpressionAttributeValues: { ":id": { S: "strong" } } };
    await times(3, async () => {
      await dax.getItem({ TableName, Key: key("strong"), ConsistentRead: true });
      await dax.batchGetItem({ RequestItems: { [TableName]: { Keys: [key("strong")], ConsistentRead: true } } });
      await dax.transactGetItems({ TransactItems: [{ Get: { TableName, Key: key("strong") } }] });
      await dax.scan({ TableName, ConsistentRead: true });
      await dax.query({ TableName, ConsistentRead: true, ...search });
    });
    assert.deepEqual(await all(), before);
  });

  test("what another wire writes is seen too", async () => {
    await times(5, async (at) => {
      await http.putItem({ TableName, Item: { ...key("shared"), n: { N: String(at) } } });
      assert.equal((await dax.getItem({ TableName, Key: key("shared") })).Item.n.N, String(at));
      await dax.putItem({ TableName, Item: { ...key("shared"), n: { N: String(at + 10) } } });
      assert.equal((await http.getItem({ TableName, Key: key("shared") })).Item.n.N, String(at + 10));
    });
  });
}
