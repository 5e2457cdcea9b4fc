// Batches and transactions.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { makeTable } from "./tables.mjs";
import { assertSame } from "./values.mjs";

const account = (bank, number, values = {}) => ({ bank: { S: bank }, number: { N: String(number) }, ...values });
const numbers = (length) => Array.from({ length }, (_, at) => at);
const units = (capacity, kind = "CapacityUnits") => Object.fromEntries(capacity.map((one) => [one.TableName, one[kind]]));

export default function ({ dax, http, things, scores }) {
  describe("batches and transactions", () => {
    const accounts = "accounts";
    before(() => makeTable(http, accounts, { bank: "S", number: "N" }));

    test("a batch writes and deletes in several tables", async () => {
      const gone = account("gone", 1);
      await dax.putItem({ TableName: accounts, Item: gone });
      const made = numbers(20).map((at) => account("batch", at, { sum: { N: String(at) } }));
      const other = numbers(4).map((at) => ({ id: { S: `batch ${at}` }, ...(at > 0 && { x: { BOOL: true } }) }));
      const put = (Item) => ({ PutRequest: { Item } });
      const answer = await dax.batchWriteItem({
        RequestItems: { [accounts]: [...made.map(put), { DeleteRequest: { Key: gone } }], [things]: other.map(put) },
        ReturnConsumedCapacity: "TOTAL",
      });
      assert.deepEqual(answer.UnprocessedItems, {});
      assert.deepEqual(units(answer.ConsumedCapacity), { [accounts]: 21, [things]: 4 });
      const found = await dax.batchGetItem({
        RequestItems: {
          [accounts]: {
            Keys: [...made.map(({ bank, number }) => ({ bank, number })), gone],
            ConsistentRead: true,
            ProjectionExpression: "#n, #s",
            ExpressionAttributeNames: { "#n": "number", "#s": "sum" },
          },
          [things]: { Keys: [...other.map(({ id }) => ({ id })), { id: { S: "absent" } }] },
        },
        ReturnConsumedCapacity: "INDEXES",
      });
      assert.deepEqual(found.UnprocessedKeys, {});
      assert.deepEqual(found.Responses[accounts].map((one) => Number(one.number.N)).sort((a, b) => a - b), numbers(20));
      for (const one of found.Responses[accounts]) assert.deepEqual(one.number, one.sum);
      assert.deepEqual(found.Responses[things].sort((a, b) => (a.id.S < b.id.S ? -1 : 1)), other);
      assert.deepEqual(units(found.ConsumedCapacity), { [accounts]: 21, [things]: 2.5 });
      assert.equal((await http.getItem({ TableName: accounts, Key: gone })).Item, undefined);
    });

    test("keys that do not fit into 16 MB come back unprocessed", async () => {
      const TableName = await makeTable(http, "bulky", { id: "N" });
      const text = { S: "t".repeat(399_000) };
      for (const at of numbers(45)) await dax.putItem({ TableName, Item: { id: { N: String(at) }, text } });
      let wanted = { [TableName]: { Keys: numbers(45).map((at) => ({ id: { N: String(at) } })), ConsistentRead: true } };
      const seen = [];
      let rounds = 0;
      for (; wanted[TableName]; rounds++) {
        assert.equal(wanted[TableName].ConsistentRead, true);
        const answer = await dax.batchGetItem({ RequestItems: wanted });
        seen.push(...answer.Responses[TableName].map((one) => Number(one.id.N)));
        wanted = answer.UnprocessedKeys;
      }
      assert.deepEqual([seen.sort((a, b) => a - b), rounds], [numbers(45), 2]);
    });

    test("a transaction writes all it holds", async () => {
      for (const [at, name] of ["a", "b", "c"].entries()) {
        await dax.putItem({ TableName: accounts, Item: account("trans", at, { sum: { N: "100" }, name: { S: name } }) });
      }
      const answer = await dax.transactWriteItems({
        TransactItems: [
          { Put: { TableName: things, Item: { id: { S: "put by a transaction" }, x: { L: [] } } } },
          {
            Update: {
              TableName: accounts,
              Key: account("trans", 0),
              UpdateExpression: "SET #s = #s - :n",
              ConditionExpression: "#s >= :n",
              ExpressionAttributeNames: { "#s": "sum" },
              ExpressionAttributeValues: { ":n": { N: "60" } },
            },
          },
          { Delete: { TableName: accounts, Key: account("trans", 1) } },
          { ConditionCheck: { TableName: accounts, Key: account("trans", 2), ConditionExpression: "attribute_exists(bank)" } },
        ],
        ReturnConsumedCapacity: "TOTAL",
        ReturnItemCollectionMetrics: "SIZE",
      });
      assert.deepEqual(units(answer.ConsumedCapacity, "WriteCapacityUnits"), { [things]: 2, [accounts]: 6 });
      const names = { ProjectionExpression: "#s", ExpressionAttributeNames: { "#s": "sum" } };
      const found = await dax.transactGetItems({
        TransactItems: [
          { Get: { TableName: things, Key: { id: { S: "put by a transaction" } } } },
          { Get: { TableName: accounts, Key: account("trans", 0), ...names } },
          { Get: { TableName: accounts, Key: account("trans", 1) } },
        ],
        ReturnConsumedCapacity: "TOTAL",
      });
      const wanted = [{ Item: { id: { S: "put by a transaction" }, x: { L: [] } } }, { Item: { sum: { N: "40" } } }, {}];
      assert.deepEqual(found.Responses, wanted);
      assert.deepEqual(units(found.ConsumedCapacity, "ReadCapacityUnits"), { [things]: 2, [accounts]: 4 });
    });

    test("a cancelled transaction gives a reason for each item", async () => {
      const item = account("cancel", 1, { sum: { N: "5" }, name: { S: "n" } });
      await dax.putItem({ TableName: accounts, Item: item });
      const check = { TableName: accounts, ConditionExpression: "attribute_not_exists(bank)" };
      const cancelled = dax.transactWriteItems({
        TransactItems: [
          { Put: { TableName: accounts, Item: account("cancel", 2) } },
          { Delete: { Key: account("cancel", 1), ReturnValuesOnConditionCheckFailure: "ALL_OLD", ...check } },
          { ConditionCheck: { Key: account("cancel", 3), ...check } },
        ],
      });
      await assert.rejects(cancelled, (error) => {
        assert.equal(error.code, "TransactionCanceledException");
        assert.equal(error.statusCode, 400);
        assert.deepEqual(error.codeSeq, [4, 37, 38, 39, 58]);
        const none = { Code: "None", Message: null, Item: null };
        const [first, second, third] = error.cancellationReasons;
        assert.deepEqual([first, third], [none, none]);
        assert.deepEqual([second.Code, second.Message], ["ConditionalCheckFailed", "The conditional request failed"]);
        assertSame(second.Item, item);
        return true;
      });
      assert.equal((await dax.getItem({ TableName: accounts, Key: account("cancel", 2), ConsistentRead: true })).Item, undefined);
      assertSame((await dax.getItem({ TableName: accounts, Key: account("cancel", 1), ConsistentRead: true })).Item, item);
    });

    test("a token makes a transaction happen once", async () => {
      const Key = account("token", 1);
      const add = (amount) => dax.transactWriteItems({
        TransactItems: [{
          Update: {
            TableName: accounts,
            Key,
            UpdateExpression: "ADD #s :n",
            ExpressionAttributeNames: { "#s": "sum" },
            ExpressionAttributeValues: { ":n": { N: String(amount) } },
          },
        }],
        ClientRequestToken: "once",
      });
      const sum = async () => (await dax.getItem({ TableName: accounts, Key })).Item.sum;
      await add(7);
      await add(7);
      assert.deepEqual(await sum(), { N: "7" });
      await assert.rejects(add(8), { code: "IdempotentParameterMismatchException", codeSeq: [4, 37, 38, 39, 60] });
      assert.deepEqual(await sum(), { N: "7" });
    });
  });

  test("capacity and collections are told as asked", async () => {
    const TableName = scores;
    const item = { game: { S: "capacity" }, player: { S: "p" }, points: { N: "1" }, country: { S: "is" } };
    const key = { game: item.game, player: item.player };
    const all = { ReturnConsumedCapacity: "INDEXES", ReturnItemCollectionMetrics: "SIZE" };
    const total = { ...all, ReturnConsumedCapacity: "TOTAL" };
    const collection = (metrics) => {
      assert.deepEqual(metrics.ItemCollectionKey, { game: { S: "capacity" } });
      assert.equal(metrics.SizeEstimateRangeGB.length, 2);
    };
    const put = await dax.putItem({ TableName, Item: item, ...all });
    const one = { CapacityUnits: 1 };
    assert.deepEqual(put.ConsumedCapacity, {
      TableName,
      CapacityUnits: 4,
      Table: one,
      LocalSecondaryIndexes: { by_points: one },
      GlobalSecondaryIndexes: { by_country: one, names: one },
    });
    collection(put.ItemCollectionMetrics);
    for (let n = 0; n < 2; n++) {
      const { ConsumedCapacity } = await dax.getItem({ TableName, Key: key, ReturnConsumedCapacity: "TOTAL" });
      assert.deepEqual(ConsumedCapacity, { TableName, CapacityUnits: 0.5 });
    }
    const strong = await dax.getItem({ TableName, Key: key, ConsistentRead: true, ReturnConsumedCapacity: "TOTAL" });
    assert.deepEqual(strong.ConsumedCapacity, { TableName, CapacityUnits: 1 });
    assert.equal((await dax.getItem({ TableName, Key: key, ReturnConsumedCapacity: "NONE" })).ConsumedCapacity, undefined);
    const query = await dax.query({
      TableName,
      IndexName: "by_country",
      KeyConditionExpression: "country = :c",
      ExpressionAttributeValues: { ":c": { S: "is" } },
      ReturnConsumedCapacity: "INDEXES",
    });
    assert.deepEqual(query.ConsumedCapacity, {
      TableName,
      CapacityUnits: 0.5,
      Table: { CapacityUnits: 0 },
      GlobalSecondaryIndexes: { by_country: { CapacityUnits: 0.5 } },
    });
    const changed = await dax.updateItem({
      TableName,
      Key: key,
      UpdateExpression: "SET points = :p",
      ExpressionAttributeValues: { ":p": { N: "2" } },
      ...total,
    });
    // The old and the new entry of each index over points.
    assert.equal(changed.ConsumedCapacity.CapacityUnits, 5);
    collection(changed.ItemCollectionMetrics);
    const deleted = await dax.deleteItem({ TableName, Key: key, ...total });
    assert.equal(deleted.ConsumedCapacity.CapacityUnits, 4);
    collection(deleted.ItemCollectionMetrics);
    const batch = await dax.batchWriteItem({ RequestItems: { [TableName]: [{ PutRequest: { Item: item } }] }, ...all });
    assert.deepEqual(batch.ConsumedCapacity[0].GlobalSecondaryIndexes.names, one);
    collection(batch.ItemCollectionMetrics[TableName][0]);
    const transaction = await dax.transactWriteItems({ TransactItems: [{ Delete: { TableName, Key: key } }], ...all });
    assert.equal(transaction.ConsumedCapacity[0].Table.WriteCapacityUnits, 2);
    collection(transaction.ItemCollectionMetrics[TableName][0]);
  });
}
