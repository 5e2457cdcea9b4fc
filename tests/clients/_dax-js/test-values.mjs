// Every type of value, written by one operation and read by every other.
import { test } from "node:test";

import { assertSame, cases, item, value } from "./values.mjs";

const VALUES = cases("values");

function everything() {
  const found = {};
  for (const [kind, written] of [["S", "strings"], ["B", "binaries"], ["N", "numbers"]]) {
    VALUES[written].forEach((one, at) => { found[`${kind.toLowerCase()}${at}`] = value({ [kind]: one }); });
  }
  VALUES.composites.forEach((one, at) => { found[`c${at}`] = value(one); });
  return found;
}

const READS = {
  getItem: async (dax, TableName, Key) => (await dax.getItem({ TableName, Key })).Item,
  "getItem, consistent": async (dax, TableName, Key) => (await dax.getItem({ TableName, Key, ConsistentRead: true })).Item,
  query: async (dax, TableName, { id }) => (await dax.query({
    TableName, KeyConditionExpression: "id = :id", ExpressionAttributeValues: { ":id": id },
  })).Items[0],
  scan: async (dax, TableName, { id }) => (await dax.scan({
    TableName, FilterExpression: "id = :id", ExpressionAttributeValues: { ":id": id },
  })).Items[0],
  batchGetItem: async (dax, table, key) => (await dax.batchGetItem({ RequestItems: { [table]: { Keys: [key] } } })).Responses[table][0],
  transactGetItems: async (dax, TableName, Key) => (await dax.transactGetItems({ TransactItems: [{ Get: { TableName, Key } }] })).Responses[0].Item,
};

const WRITES = {
  putItem: (dax, TableName, Item) => dax.putItem({ TableName, Item }),
  updateItem: (dax, TableName, { id, ...rest }) => dax.updateItem({
    TableName,
    Key: { id },
    UpdateExpression: `SET ${Object.keys(rest).map((name) => `#${name} = :${name}`).join(", ")}`,
    ExpressionAttributeNames: Object.fromEntries(Object.keys(rest).map((name) => [`#${name}`, name])),
    ExpressionAttributeValues: Object.fromEntries(Object.entries(rest).map(([name, one]) => [`:${name}`, one])),
  }),
  batchWriteItem: (dax, table, Item) => dax.batchWriteItem({ RequestItems: { [table]: [{ PutRequest: { Item } }] } }),
  transactWriteItems: (dax, TableName, Item) => dax.transactWriteItems({ TransactItems: [{ Put: { TableName, Item } }] }),
};

export default function ({ dax, http, things }) {
  for (const [name, write] of Object.entries(WRITES)) {
    test(`every type comes back as it went in by ${name}`, async () => {
      const key = { id: { S: `types by ${name}` } };
      const written = { ...everything(), ...key };
      // In a transaction the client takes an attribute without a name out of a map, and then stumbles over its absence.
      if (name !== "transactWriteItems") written.nameless = value(VALUES.nameless);
      await write(dax, things, written);
      for (const [how, read] of Object.entries(READS)) assertSame(await read(dax, things, key), written, how);
      // And it is the item that a client of another wire sees.
      assertSame((await http.getItem({ TableName: things, Key: key })).Item, written);
    });
  }

  for (const [name, read] of Object.entries(READS)) {
    test(`what was written over HTTP is read by ${name}`, async () => {
      const key = { id: { S: `http, ${name}` } };
      const written = { ...everything(), ...key };
      await http.putItem({ TableName: things, Item: written });
      assertSame(await read(dax, things, key), written);
    });
  }

  test("numbers at the ends of their range", async () => {
    for (const [at, N] of VALUES.extremes.entries()) {
      const key = { id: { S: `extreme ${at}` } };
      await http.putItem({ TableName: things, Item: { ...key, n: { N } } });
      assertSame((await dax.getItem({ TableName: things, Key: key })).Item, { ...key, n: { N } });
    }
  });

  for (const one of cases("projections")) {
    test(`the projection ${one.projection}`, async () => {
      const document = item(cases("document"));
      const key = { id: document.id };
      await dax.putItem({ TableName: things, Item: document });
      const how = { ProjectionExpression: one.projection, ...(one.names && { ExpressionAttributeNames: one.names }) };
      const wanted = item(one.item);
      assertSame((await dax.getItem({ TableName: things, Key: key, ...how })).Item ?? {}, wanted);
      assertSame((await dax.getItem({ TableName: things, Key: key, ConsistentRead: true, ...how })).Item ?? {}, wanted);
      const batch = await dax.batchGetItem({ RequestItems: { [things]: { Keys: [key], ...how } } });
      assertSame(batch.Responses[things][0] ?? {}, wanted);
      const transaction = await dax.transactGetItems({ TransactItems: [{ Get: { TableName: things, Key: key, ...how } }] });
      assertSame(transaction.Responses[0].Item ?? {}, wanted);
      const values = { ExpressionAttributeValues: { ":id": document.id } };
      const found = await dax.query({ TableName: things, KeyConditionExpression: "id = :id", ...values, ...how });
      assertSame(found.Items[0] ?? {}, wanted);
      const scanned = await dax.scan({ TableName: things, FilterExpression: "id = :id", ...values, ...how });
      assertSame(scanned.Items[0] ?? {}, wanted);
    });
  }

  test("an item of nearly 400 KB comes back whole", async () => {
    const written = { id: { S: "large" }, text: { S: "x".repeat(200_000) }, bytes: { B: Buffer.alloc(199_000, "0123456789") } };
    await dax.putItem({ TableName: things, Item: written });
    for (let n = 0; n < 2; n++) assertSame((await dax.getItem({ TableName: things, Key: { id: { S: "large" } } })).Item, written);
  });
}
