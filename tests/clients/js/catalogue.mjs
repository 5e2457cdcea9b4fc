// A product catalogue: the flow of a shop on the AWS SDK for JavaScript v3.
import assert from "node:assert/strict";
import {
  BatchGetItemCommand, CreateTableCommand, DeleteTableCommand, DescribeTableCommand, DynamoDBClient, GetItemCommand,
  PutItemCommand, ResourceNotFoundException, ConditionalCheckFailedException, TransactionCanceledException,
  waitUntilTableExists, waitUntilTableNotExists,
} from "@aws-sdk/client-dynamodb";
import {
  BatchWriteCommand, DeleteCommand, DynamoDBDocumentClient, GetCommand, PutCommand, QueryCommand, TransactGetCommand,
  TransactWriteCommand, UpdateCommand, paginateQuery, paginateScan,
} from "@aws-sdk/lib-dynamodb";

const endpoint = process.env.FOREBAY_ENDPOINT;
const admin = process.env.FOREBAY_ADMIN;
const client = new DynamoDBClient({
  endpoint, region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" }, maxAttempts: 2,
});
const db = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
const TableName = "catalogue";

async function counter(name) {
  if (admin === "none") return null;
  const text = await (await fetch(`${admin}/metrics`)).text();
  const rows = text.split("\n").filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  assert.ok(rows.length > 0, `${name} is not among the metrics`);
  return rows.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

// Of so many `pages` among what `body` reads, each node behind the endpoint but the one that was asked before has its own first read.
async function grows(name, by, body, { pages = 0 } = {}) {
  const least = by - pages * (Number(process.env.FOREBAY_NODES ?? 1) - 1);
  const before = await counter(name);
  await body();
  if (before !== null) assert.ok((await counter(name)) - before >= least, `${name} grew by less than ${least}`);
}

const cases = [];
const test = (name, body) => cases.push([name, body]);

test("a table is made, described and waited for", async () => {
  await client.send(new CreateTableCommand({
    TableName,
    BillingMode: "PROVISIONED",
    ProvisionedThroughput: { ReadCapacityUnits: 100, WriteCapacityUnits: 100 },
    AttributeDefinitions: ["shelf", "sku", "brand"].map((AttributeName) => ({ AttributeName, AttributeType: "S" }))
      .concat([{ AttributeName: "price", AttributeType: "N" }]),
    KeySchema: [{ AttributeName: "shelf", KeyType: "HASH" }, { AttributeName: "sku", KeyType: "RANGE" }],
    GlobalSecondaryIndexes: [{
      IndexName: "by_brand",
      KeySchema: [{ AttributeName: "brand", KeyType: "HASH" }, { AttributeName: "price", KeyType: "RANGE" }],
      Projection: { ProjectionType: "ALL" },
      ProvisionedThroughput: { ReadCapacityUnits: 100, WriteCapacityUnits: 100 },
    }],
  }));
  await waitUntilTableExists({ client, maxWaitTime: 20, minDelay: 0.05, maxDelay: 0.2 }, { TableName });
  const { Table } = await client.send(new DescribeTableCommand({ TableName }));
  assert.equal(Table.TableStatus, "ACTIVE");
  assert.ok(Table.CreationDateTime instanceof Date);
  assert.equal(Table.ProvisionedThroughput.ReadCapacityUnits, 100);
  await assert.rejects(client.send(new DescribeTableCommand({ TableName: "nowhere" })), ResourceNotFoundException);
});

test("documents come back as they went in", async () => {
  const Item = {
    shelf: "types", sku: "1", price: 12.5, brand: "acme", tags: new Set(["a", "b"]), sizes: new Set([1, 2]),
    raw: new Uint8Array([0, 255, 10]), parts: [{ name: "x", count: 2 }, [], null, true], nested: { a: { b: { c: "ü" } } }, gone: null,
  };
  await db.send(new PutCommand({ TableName, Item }));
  const found = (await db.send(new GetCommand({ TableName, Key: { shelf: "types", sku: "1" } }))).Item;
  assert.deepEqual(found, Item);
});

test("the plain client sees the wire types", async () => {
  await client.send(new PutItemCommand({ TableName, Item: { shelf: { S: "plain" }, sku: { S: "1" }, n: { N: "0001.500" }, ok: { BOOL: false } } }));
  const { Item } = await client.send(new GetItemCommand({ TableName, Key: { shelf: { S: "plain" }, sku: { S: "1" } } }));
  assert.deepEqual(Item.n, { N: "1.5" });
  assert.deepEqual(Item.ok, { BOOL: false });
});

test("a repeated read comes from memory", async () => {
  const Key = { shelf: "types", sku: "1" };
  await db.send(new GetCommand({ TableName, Key }));
  await grows("forebay_item_cache_hits_total", 10, async () => {
    for (let n = 0; n < 10; n++) assert.equal((await db.send(new GetCommand({ TableName, Key }))).Item.price, 12.5);
  });
});

test("queries follow writes", async () => {
  const shelf = async () => (await db.send(new QueryCommand({
    TableName, KeyConditionExpression: "shelf = :s", ExpressionAttributeValues: { ":s": "fresh" },
  }))).Items.map((item) => item.sku);
  for (let n = 0; n < 8; n++) {
    await db.send(new PutCommand({ TableName, Item: { shelf: "fresh", sku: `s${n}`, brand: "fresh", price: n } }));
    assert.equal((await shelf()).length, n + 1);
  }
  await db.send(new DeleteCommand({ TableName, Key: { shelf: "fresh", sku: "s0" } }));
  assert.deepEqual(await shelf(), ["s1", "s2", "s3", "s4", "s5", "s6", "s7"]);
  await grows("forebay_query_cache_hits_total", 10, async () => { for (let n = 0; n < 10; n++) await shelf(); }, { pages: 1 });
});

test("an update returns what it touched", async () => {
  const answer = await db.send(new UpdateCommand({
    TableName, Key: { shelf: "types", sku: "1" },
    UpdateExpression: "SET #p = #p + :two REMOVE gone ADD sizes :three DELETE tags :a",
    ExpressionAttributeNames: { "#p": "price" },
    ExpressionAttributeValues: { ":two": 2, ":three": new Set([3]), ":a": new Set(["a"]) },
    ReturnValues: "UPDATED_NEW",
  }));
  assert.deepEqual(answer.Attributes, { price: 14.5, sizes: new Set([1, 2, 3]), tags: new Set(["b"]) });
});

test("a condition that fails is an error of its own", async () => {
  await assert.rejects(
    db.send(new PutCommand({ TableName, Item: { shelf: "types", sku: "1" }, ConditionExpression: "attribute_not_exists(sku)" })),
    (error) => error instanceof ConditionalCheckFailedException && error.$metadata.httpStatusCode === 400,
  );
});

test("batches, indexes and pages", async () => {
  for (let start = 0; start < 100; start += 25) {
    const answer = await db.send(new BatchWriteCommand({
      RequestItems: {
        [TableName]: Array.from({ length: 25 }, (_, n) => ({
          PutRequest: { Item: { shelf: "bulk", sku: `b${String(start + n).padStart(3, "0")}`, brand: "bulk", price: (start + n) % 10 } },
        })),
      },
    }));
    assert.deepEqual(answer.UnprocessedItems, {});
  }
  const seen = [];
  const query = { TableName, IndexName: "by_brand", KeyConditionExpression: "brand = :b AND price < :p", ExpressionAttributeValues: { ":b": "bulk", ":p": 5 } };
  for await (const page of paginateQuery({ client: db, pageSize: 9 }, query)) seen.push(...page.Items.map((i) => i.price));
  assert.equal(seen.length, 50);
  assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
  let scanned = 0;
  for await (const page of paginateScan({ client: db, pageSize: 33 }, { TableName, FilterExpression: "brand = :b", ExpressionAttributeValues: { ":b": "bulk" } })) scanned += page.Count;
  assert.equal(scanned, 100);
  const { Responses } = await client.send(new BatchGetItemCommand({
    RequestItems: { [TableName]: { Keys: ["b000", "b001", "none"].map((sku) => ({ shelf: { S: "bulk" }, sku: { S: sku } })) } },
  }));
  assert.equal(Responses[TableName].length, 2);
});

test("transactions", async () => {
  const write = (limit) => db.send(new TransactWriteCommand({
    TransactItems: [
      { ConditionCheck: { TableName, Key: { shelf: "types", sku: "1" }, ConditionExpression: "price < :l", ExpressionAttributeValues: { ":l": limit } } },
      { Put: { TableName, Item: { shelf: "trans", sku: "1" } } },
      { Delete: { TableName, Key: { shelf: "fresh", sku: "s1" } } },
    ],
  }));
  await assert.rejects(write(1), (error) => {
    assert.ok(error instanceof TransactionCanceledException);
    assert.deepEqual(error.CancellationReasons.map((r) => r.Code), ["ConditionalCheckFailed", "None", "None"]);
    return true;
  });
  const get = async () => (await db.send(new TransactGetCommand({
    TransactItems: [["trans", "1"], ["fresh", "s1"]].map(([shelf, sku]) => ({ Get: { TableName, Key: { shelf, sku } } })),
  }))).Responses.map((r) => r.Item?.sku);
  assert.deepEqual(await get(), [undefined, "s1"]);
  await write(100);
  assert.deepEqual(await get(), ["1", undefined]);
});

test("a table is dropped", async () => {
  await client.send(new DeleteTableCommand({ TableName }));
  await waitUntilTableNotExists({ client, maxWaitTime: 20, minDelay: 0.05, maxDelay: 0.2 }, { TableName });
});

let passed = 0, failed = 0;
for (const [name, body] of cases) {
  try {
    await body();
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}:`, error);
  }
}
client.destroy();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
