// Every error that a client of DAX can be shown by a node that is well.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { counter } from "./counters.mjs";
import { Node } from "./node.mjs";
import { makeTable } from "./tables.mjs";
import { cases, item } from "./values.mjs";

const KEY = { id: { S: "error" } };

// What a call is refused with. The client throws some of its own refusals before there is a promise.
async function refusal(call) {
  try {
    await call();
  } catch (error) {
    return error;
  }
  return assert.fail("it was not refused");
}

export default function ({ client, dax, http, things: TableName }) {
  describe("errors", () => {
    before(() => dax.putItem({ TableName, Item: { ...KEY, s: { S: "text" }, m: { M: {} } } }));

    for (const one of cases("errors")) {
      test(`${one.name} is told as over HTTP`, async () => {
        const params = Object.fromEntries(Object.entries(one.params).map(([name, given]) => (
          [name, ["Item", "Key", "ExpressionAttributeValues"].includes(name) ? item(given) : given]
        )));
        const operation = one.operation[0].toLowerCase() + one.operation.slice(1);
        const error = await refusal(() => dax[operation](params));
        assert.equal(error.code, one.code);
        assert.equal(error.message, `${one.code}: ${one.message}`);
        assert.equal(error.statusCode, 400);
        assert.match(error.requestId, /^[0-9A-Z]{32,}$/);
        const told = await refusal(() => http[operation](params));
        assert.equal(told.message, one.message);
      });
    }

    test("a failed condition", async () => {
      const error = await refusal(() => dax.putItem({ TableName, Item: KEY, ConditionExpression: "attribute_not_exists(id)" }));
      assert.equal(error.code, "ConditionalCheckFailedException");
      assert.equal(error.message, "ConditionalCheckFailedException: The conditional request failed");
      assert.deepEqual(error.codeSeq, [4, 37, 38, 39, 43]);
    });

    test("an item too large", async () => {
      const error = await refusal(() => dax.putItem({ TableName, Item: { ...KEY, x: { S: "x".repeat(410_000) } } }));
      assert.equal(error.message, "ValidationException: Item size has exceeded the maximum allowed size");
    });

    test("a key too large", async () => {
      const error = await refusal(() => dax.getItem({ TableName, Key: { id: { S: "x".repeat(2049) } } }));
      assert.equal(error.code, "ValidationException");
      assert.match(error.message, /Size of hashkey has exceeded the maximum size limit of2048 bytes/);
    });

    test("a document too deep", async () => {
      let deep = { N: "1" };
      for (let n = 0; n < 33; n++) deep = { L: [deep] };
      const error = await refusal(() => dax.putItem({ TableName, Item: { id: { S: "deep" }, deep } }));
      assert.match(error.message, /^ValidationException: Nesting Levels have exceeded supported limits/);
    });

    test("a table that was dropped while the client knew it", async () => {
      const dropped = await makeTable(http, "dropped", { id: "S" });
      await dax.putItem({ TableName: dropped, Item: KEY });
      await http.deleteTable({ TableName: dropped });
      for (const [operation, how] of Object.entries({ getItem: { Key: KEY }, putItem: { Item: KEY }, scan: {} })) {
        const error = await refusal(() => dax[operation]({ TableName: dropped, ...how }));
        assert.equal(error.message, "ResourceNotFoundException: Requested resource not found");
      }
    });

    test("what the client refuses by itself does not reach the node", async () => {
      const requests = () => counter("forebay_total_request_count_total");
      const earlier = await requests();
      for (const [operation, how] of [
        ["getItem", { Key: { other: { S: "x" } } }],
        ["putItem", { Item: { x: { S: "no key" } } }],
        ["scan", { FilterExpression: "(s = :x", ExpressionAttributeValues: { ":x": { N: "1" } } }],
        ["scan", { FilterExpression: "s = :absent", ExpressionAttributeValues: { ":x": { N: "1" } } }],
        ["transactGetItems", { TransactItems: [] }],
        ...client.refuses,
      ]) {
        const error = await refusal(() => dax[operation]({ TableName, ...how }));
        assert.equal(error.code, "ValidationException", operation);
      }
      assert.equal(await requests(), earlier);
    });
  });

  test("overload is a throttle that the client backs off from", async () => {
    const node = await Node.start("dax.max_requests_in_flight=0");
    const throttled = client.connect(node.addresses.dax);
    try {
      const plain = client.http(node.addresses.http);
      await makeTable(plain, "things", { id: "S" });
      const read = () => refusal(() => throttled.getItem({ TableName: "things", Key: KEY, ConsistentRead: true }));
      // The first may use up its one retry while the client looks for nodes.
      await read();
      const began = Date.now();
      assert.equal((await read()).code, "ThrottlingException");
      // One pause of at least half of 70 ms, as coarse as timers are.
      assert.ok(Date.now() - began >= 30);
    } finally {
      throttled.shutdown();
      await node.dispose();
    }
  });

  describe("access keys", () => {
    const good = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
    let guarded;

    before(async () => {
      guarded = new Node([]);
      const file = join(guarded.folder, "credentials");
      writeFileSync(file, `[default]\naws_access_key_id = ${good.accessKeyId}\naws_secret_access_key = ${good.secretAccessKey}\n`);
      guarded.settings.push(`credentials.file=${file}`);
      await guarded.start();
      await makeTable(client.http(guarded.addresses.http, { credentials: good }), "things", { id: "S" });
    });
    after(() => guarded.dispose());

    test("a claim of identity has no answer of its own", async () => {
      // If it had one, the client would take it for the answer to its request.
      const signed = client.connect(guarded.addresses.dax, { credentials: good });
      for (let at = 0; at < 3; at++) {
        const item = { id: { S: "x" }, at: { N: String(at) } };
        await signed.putItem({ TableName: "things", Item: item });
        assert.deepEqual((await signed.getItem({ TableName: "things", Key: { id: item.id } })).Item, item);
      }
      signed.shutdown();
    });

    for (const wrong of [{ secretAccessKey: "another" }, { accessKeyId: "AKIDOTHER" }]) {
      test(`a wrong ${Object.keys(wrong)[0]} gets no route`, async (t) => {
        // The first request is the client's own, for the nodes; of its refusal it prints a line and goes on trying.
        const printed = t.mock.method(console, "error", () => {});
        const refused = client.connect(guarded.addresses.dax, { credentials: { ...good, ...wrong }, maxRetryDelay: 500 });
        const error = await refusal(() => refused.getItem({ TableName: "things", Key: KEY }));
        refused.shutdown();
        assert.equal(error.code, "NoRouteException");
        assert.ok(printed.mock.callCount() > 0);
      });
    }
  });
}
