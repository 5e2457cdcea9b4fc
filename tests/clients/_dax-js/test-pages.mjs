// Query and Scan: indexes, paging, filters, counts, segments.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { makeScores, makeTable } from "./tables.mjs";

const COUNTRIES = ["at", "cz", "de"];

// Sixty players of one game; their points go down as their numbers go up.
const BOARD = Array.from({ length: 60 }, (_, at) => ({
  game: { S: "go" },
  player: { S: `p${String(at).padStart(3, "0")}` },
  points: { N: String(1000 - 2.5 * at) },
  country: { S: COUNTRIES[at % 3] },
  title: { S: at < 10 ? "master" : "pupil" },
  note: { S: "x".repeat(50) },
}));
const PLAYERS = BOARD.map((one) => one.player.S);
const CZECHS = BOARD.filter((one) => one.country.S === "cz");

// All pages, in order.
async function pages(call, how) {
  const found = [await call(how)];
  while (found.at(-1).LastEvaluatedKey) found.push(await call({ ...how, ExclusiveStartKey: found.at(-1).LastEvaluatedKey }));
  return found;
}

const items = (found) => found.flatMap((page) => page.Items);
const players = (found) => items(found).map((one) => one.player.S);

const GO = { KeyConditionExpression: "game = :g", ExpressionAttributeValues: { ":g": { S: "go" } } };
const CZ = { KeyConditionExpression: "country = :c", ExpressionAttributeValues: { ":c": { S: "cz" } } };

export default function ({ dax, http }) {
  describe("pages", () => {
    const TableName = "board";
    const query = (how) => dax.query({ TableName, ...how });
    const scan = (how) => dax.scan({ TableName, ...how });

    before(async () => {
      await makeScores(http, TableName);
      for (let at = 0; at < BOARD.length; at += 25) {
        await dax.batchWriteItem({ RequestItems: { [TableName]: BOARD.slice(at, at + 25).map((Item) => ({ PutRequest: { Item } })) } });
      }
      // In no index but the table.
      await dax.putItem({ TableName, Item: { game: { S: "chess" }, player: { S: "p000" } } });
    });

    for (const Limit of [1, 7, 60, 1000]) {
      for (const ScanIndexForward of [true, false]) {
        test(`a query in pages of ${Limit}, ${ScanIndexForward ? "forward" : "backward"}`, async () => {
          const found = await pages(query, { Limit, ScanIndexForward, ...GO });
          assert.deepEqual(players(found), ScanIndexForward ? PLAYERS : PLAYERS.toReversed());
          for (const page of found) {
            assert.deepEqual([page.Count, page.ScannedCount], [page.Items.length, page.Items.length]);
            assert.ok(page.Count <= Limit);
          }
        });
      }
    }

    for (const Limit of [1, 9, 1000]) {
      test(`a local index in pages of ${Limit}`, async () => {
        const found = await pages(query, { IndexName: "by_points", Limit, ...GO });
        assert.deepEqual(items(found), BOARD.toReversed());
        if (found.length > 1) assert.deepEqual(Object.keys(found[0].LastEvaluatedKey).sort(), ["game", "player", "points"]);
      });

      test(`a global index in pages of ${Limit}`, async () => {
        const found = await pages(query, { IndexName: "by_country", Limit, ScanIndexForward: false, ...CZ });
        assert.deepEqual(items(found), CZECHS);
        if (found.length > 1) assert.deepEqual(Object.keys(found[0].LastEvaluatedKey).sort(), ["country", "game", "player", "points"]);
      });
    }

    test("an index gives what is projected into it", async () => {
      const wanted = CZECHS.map(({ country, player, game, title }) => ({ country, player, game, title }));
      assert.deepEqual((await query({ IndexName: "names", ...CZ })).Items, wanted);
      assert.deepEqual((await query({ IndexName: "names", Select: "ALL_PROJECTED_ATTRIBUTES", ...CZ })).Items, wanted);
      const just = await query({ IndexName: "names", ProjectionExpression: "title", Select: "SPECIFIC_ATTRIBUTES", ...CZ });
      assert.deepEqual(just.Items, CZECHS.map(({ title }) => ({ title })));
    });

    test("an index range", async () => {
      const found = await query({
        IndexName: "by_points",
        KeyConditionExpression: "game = :g AND points BETWEEN :a AND :b",
        ExpressionAttributeValues: { ":g": { S: "go" }, ":a": { N: "990" }, ":b": { N: "997.50" } },
      });
      assert.deepEqual(players([found]), ["p004", "p003", "p002", "p001"]);
    });

    test("a count comes without items", async () => {
      const counted = await query({ Select: "COUNT", ...GO });
      assert.deepEqual([counted.Count, counted.ScannedCount, counted.Items], [60, 60, undefined]);
      const { KeyConditionExpression: FilterExpression, ...values } = GO;
      const scanned = await scan({ Select: "COUNT", FilterExpression, ...values });
      assert.deepEqual([scanned.Count, scanned.ScannedCount, scanned.Items], [60, 61, undefined]);
    });

    test("a filter is applied after the limit", async () => {
      const values = { ":g": { S: "go" }, ":t": { S: "pupil" } };
      const how = { Limit: 10, KeyConditionExpression: "game = :g", FilterExpression: "title = :t", ExpressionAttributeValues: values };
      const found = await pages(query, how);
      assert.deepEqual([found[0].Count, found[0].ScannedCount, found[0].Items], [0, 10, []]);
      assert.deepEqual(found[0].LastEvaluatedKey, { game: { S: "go" }, player: { S: "p009" } });
      assert.deepEqual(players(found), PLAYERS.slice(10));
      assert.equal(found.reduce((sum, page) => sum + page.ScannedCount, 0), 60);
    });

    for (const Limit of [7, 1000]) {
      test(`a scan in pages of ${Limit} sees each item once`, async () => {
        assert.deepEqual(players(await pages(scan, { Limit })).sort(), ["p000", ...PLAYERS]);
        for (const IndexName of ["by_points", "by_country", "names"]) {
          assert.deepEqual(players(await pages(scan, { IndexName, Limit })).sort(), PLAYERS);
        }
      });
    }

    for (const TotalSegments of [1, 2, 7]) {
      test(`${TotalSegments} parallel segments share out the table`, async () => {
        const segments = Array.from({ length: TotalSegments }, (_, Segment) => (
          pages(scan, { Segment, TotalSegments, Limit: 5, ConsistentRead: true })
        ));
        assert.deepEqual((await Promise.all(segments)).flatMap(players).sort(), ["p000", ...PLAYERS]);
      });
    }
  });

  test("a page ends at a megabyte", async () => {
    const TableName = await makeTable(http, "megabytes", { pk: "S", sk: "N" });
    for (let at = 0; at < 11; at++) {
      await dax.putItem({ TableName, Item: { pk: { S: "x" }, sk: { N: String(at) }, text: { S: "t".repeat(200_000) } } });
    }
    const how = { TableName, KeyConditionExpression: "pk = :p", ExpressionAttributeValues: { ":p": { S: "x" } } };
    // The limit of the bytes is on what is read, not on what is given.
    for (const more of [{}, {}, { ProjectionExpression: "sk" }]) {
      const found = await pages((one) => dax.query(one), { ...how, ...more });
      assert.deepEqual(found.map((page) => page.Count), [6, 5]);
      assert.deepEqual(items(found).map((one) => one.sk.N), Array.from({ length: 11 }, (_, at) => String(at)));
    }
  });
}
