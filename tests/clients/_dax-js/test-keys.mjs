// Hash and range keys of every type: each of a key's written forms finds the item, and ranges are in order.
import assert from "node:assert/strict";
import { test } from "node:test";

import { makeTable } from "./tables.mjs";
import { assertSame, cases, value } from "./values.mjs";

const KEYS = cases("keys");
const KINDS = ["S", "N", "B"];

// The values of that type in ascending order, each in all the ways it is written.
const forms = (kind) => KEYS[kind].ascending.map((equal) => equal.map((form) => value({ [kind]: form })));
const chunks = (list, size) => Array.from({ length: Math.ceil(list.length / size) }, (_, at) => list.slice(at * size, (at + 1) * size));

export default function ({ dax, http }) {
  for (const kind of KINDS) {
    test(`a hash key of type ${kind} is found by each of its forms`, async () => {
      const TableName = await makeTable(http, `keys-${kind}`, { pk: kind });
      for (const [at, equal] of forms(kind).entries()) {
        const wanted = { N: String(at) };
        // Written in one form each time, the later replacing the earlier.
        for (const pk of equal) await dax.putItem({ TableName, Item: { pk, at: wanted } });
        for (const pk of equal) {
          assertSame((await dax.getItem({ TableName, Key: { pk } })).Item, { pk, at: wanted });
          assert.deepEqual((await http.getItem({ TableName, Key: { pk } })).Item.at, wanted);
          const found = await dax.query({ TableName, KeyConditionExpression: "pk = :p", ExpressionAttributeValues: { ":p": pk } });
          assertSame(found.Items[0], { pk, at: wanted });
          const batch = await dax.batchGetItem({ RequestItems: { [TableName]: { Keys: [{ pk }] } } });
          assertSame(batch.Responses[TableName][0], { pk, at: wanted });
        }
      }
      assert.equal((await dax.scan({ TableName })).Count, forms(kind).length);
      for (const equal of forms(kind)) await dax.deleteItem({ TableName, Key: { pk: equal.at(-1) } });
      assert.equal((await dax.scan({ TableName })).Count, 0);
    });
  }

  for (const [hash, range] of KINDS.flatMap((hash) => KINDS.map((range) => [hash, range]))) {
    test(`keys of types ${hash} and ${range} are in order and found by each form`, async () => {
      const TableName = await makeTable(http, `keys-${hash}${range}`, { pk: hash, sk: range });
      const ranges = forms(range);
      const [partition, other] = [forms(hash)[1], forms(hash).at(-1)];
      // Out of order, through every operation that writes.
      const rest = [];
      for (const [at, equal] of ranges.entries()) {
        const N = String(at);
        if (at % 3 === 0) await dax.putItem({ TableName, Item: { pk: partition[0], sk: equal[0], at: { N } } });
        else rest.push({ pk: partition.at(-1), sk: equal.at(-1), at: { N } });
      }
      const [batch, ...later] = chunks(rest, 6);
      await dax.batchWriteItem({ RequestItems: { [TableName]: batch.map((Item) => ({ PutRequest: { Item } })) } });
      for (const one of later) await dax.transactWriteItems({ TransactItems: one.map((Item) => ({ Put: { TableName, Item } })) });
      await dax.putItem({ TableName, Item: { pk: other[0], sk: ranges[0][0], at: { N: "-1" } } });

      const query = async (condition = "", values = {}, more = {}) => {
        const { Items } = await dax.query({
          TableName,
          KeyConditionExpression: `pk = :p${condition}`,
          ExpressionAttributeValues: { ":p": partition.at(-1), ...values },
          ...more,
        });
        return Items.map((one) => Number(one.at.N));
      };
      const whole = ranges.map((_, at) => at);
      assert.deepEqual(await query(), whole);
      assert.deepEqual(await query("", {}, { ScanIndexForward: false }), whole.toReversed());
      for (const [at, equal] of ranges.entries()) {
        for (const sk of equal) {
          const key = { pk: partition.at(-1), sk };
          assertSame((await dax.getItem({ TableName, Key: key })).Item, { ...key, at: { N: String(at) } });
        }
        assert.deepEqual(await query(" AND sk = :s", { ":s": equal.at(-1) }), [at]);
      }
      const [low, high] = [2, ranges.length - 3];
      assert.deepEqual(await query(" AND sk < :s", { ":s": ranges[low].at(-1) }), whole.slice(0, low));
      assert.deepEqual(await query(" AND sk <= :s", { ":s": ranges[low][0] }), whole.slice(0, low + 1));
      assert.deepEqual(await query(" AND sk > :s", { ":s": ranges[high].at(-1) }), whole.slice(high + 1));
      assert.deepEqual(await query(" AND sk >= :s", { ":s": ranges[high][0] }), whole.slice(high));
      const ends = { ":a": ranges[low].at(-1), ":b": ranges[high].at(-1) };
      assert.deepEqual(await query(" AND sk BETWEEN :a AND :b", ends), whole.slice(low, high + 1));
      const { prefix } = KEYS[range];
      if (prefix) {
        const found = await query(" AND begins_with(sk, :s)", { ":s": value({ [range]: prefix.of }) });
        assert.deepEqual(found.map((at) => ranges[at][0]), prefix.found.map((one) => value({ [range]: one })));
      }
      // The range in pages, each beginning where the last ended.
      const seen = [];
      let ExclusiveStartKey;
      do {
        const page = await dax.query({
          TableName,
          KeyConditionExpression: "pk = :p",
          ExpressionAttributeValues: { ":p": partition[0] },
          Limit: 3,
          ...(ExclusiveStartKey && { ExclusiveStartKey }),
        });
        seen.push(...page.Items.map((one) => Number(one.at.N)));
        ExclusiveStartKey = page.LastEvaluatedKey;
      } while (ExclusiveStartKey);
      assert.deepEqual(seen, whole);
    });
  }
}
