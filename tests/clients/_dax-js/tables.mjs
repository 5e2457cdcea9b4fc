// Tables, made over HTTP, since a client of DAX can't.
import { setTimeout as sleep } from "node:timers/promises";

// A table with keys such as `{ pk: "S", sk: "N" }`; further attributes that indexes need go into `attributes`.
export async function makeTable(http, TableName, keys, { attributes = {}, ...more } = {}) {
  await http.createTable({
    TableName,
    BillingMode: "PAY_PER_REQUEST",
    KeySchema: Object.keys(keys).map((AttributeName, at) => ({ AttributeName, KeyType: ["HASH", "RANGE"][at] })),
    AttributeDefinitions: Object.entries({ ...keys, ...attributes }).map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })),
    ...more,
  });
  while ((await http.describeTable({ TableName })).Table.TableStatus !== "ACTIVE") await sleep(10);
  return TableName;
}

// An index's definition.
export const index = (IndexName, hash, range, Projection = { ProjectionType: "ALL" }) => ({
  IndexName,
  KeySchema: [{ AttributeName: hash, KeyType: "HASH" }, { AttributeName: range, KeyType: "RANGE" }],
  Projection,
});

// A table with a range key, a local and two global indexes.
export const makeScores = (http, name) => makeTable(http, name, { game: "S", player: "S" }, {
  attributes: { points: "N", country: "S" },
  LocalSecondaryIndexes: [index("by_points", "game", "points")],
  GlobalSecondaryIndexes: [
    index("by_country", "country", "points"),
    index("names", "country", "player", { ProjectionType: "INCLUDE", NonKeyAttributes: ["title"] }),
  ],
});
