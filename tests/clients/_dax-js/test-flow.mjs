// A leaderboard whose winners get coupons, on the client of plain values: the flow of a service that moved to DAX.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { grows } from "./counters.mjs";
import { index, makeTable } from "./tables.mjs";

const BOARD = "leaderboard";
const COUPONS = "winners";

export default function ({ client, http }) {
  describe("a leaderboard with coupons", () => {
    const { db, pages, set, elements } = client.documents(process.env.FOREBAY_DAX);
    const ranking = {
      TableName: BOARD,
      IndexName: "ranking",
      KeyConditionExpression: "season = :s",
      ExpressionAttributeValues: { ":s": "autumn" },
      ScanIndexForward: false,
    };
    const top = async (Limit = 3) => (await db.query({ ...ranking, Limit })).Items.map(({ player, points }) => [player, points]);

    before(async () => {
      await makeTable(http, BOARD, { season: "S", player: "S" }, {
        attributes: { points: "N" }, LocalSecondaryIndexes: [index("ranking", "season", "points")],
      });
      await makeTable(http, COUPONS, { code: "S" }, {
        attributes: { player: "S", worth: "N" }, GlobalSecondaryIndexes: [index("mine", "player", "worth")],
      });
    });

    after(() => db.shutdown());

    test("players score", async () => {
      const made = Array.from({ length: 60 }, (_, at) => ({
        season: "autumn", player: `p${String(at).padStart(2, "0")}`, points: at, badges: set([`b${at}`]), history: [],
      }));
      for (let at = 0; at < made.length; at += 25) {
        const answer = await db.batchWrite({ RequestItems: { [BOARD]: made.slice(at, at + 25).map((Item) => ({ PutRequest: { Item } })) } });
        assert.deepEqual(answer.UnprocessedItems, {});
      }
      assert.deepEqual(await top(), [["p59", 59], ["p58", 58], ["p57", 57]]);
      const win = {
        TableName: BOARD,
        Key: { season: "autumn", player: "p07" },
        UpdateExpression: "ADD points :p, badges :b SET history = list_append(history, :h), best = if_not_exists(best, :p)",
        ExpressionAttributeValues: { ":p": 20.5, ":b": set(["comeback"]), ":h": [{ won: 20.5 }] },
        ReturnValues: "ALL_NEW",
      };
      let answer;
      for (let n = 0; n < 3; n++) answer = await db.update(win);
      assert.equal(answer.Attributes.points, 68.5);
      assert.deepEqual(elements(answer.Attributes.badges).sort(), ["b7", "comeback"]);
      assert.deepEqual(answer.Attributes.history, [{ won: 20.5 }, { won: 20.5 }, { won: 20.5 }]);
      assert.deepEqual(await top(1), [["p07", 68.5]]);
    });

    test("the board is looked at far more often than it changes", async () => {
      const first = await top();
      await grows("forebay_query_cache_hits_total", 20, async () => {
        for (let n = 0; n < 20; n++) assert.deepEqual(await top(), first);
      }, { pages: 1 });
      await db.put({ TableName: BOARD, Item: { season: "autumn", player: "p00", points: 1000 } });
      assert.deepEqual(await top(1), [["p00", 1000]]);
    });

    test("each winner gets one coupon", async () => {
      for (const [rank, [player, points]] of (await top()).entries()) {
        const coupon = { code: `autumn-${rank}`, player, worth: 50 - 10 * rank, for: points };
        const once = { TableName: COUPONS, Item: coupon, ConditionExpression: "attribute_not_exists(code)" };
        await db.put(once);
        await assert.rejects(db.put(once), { code: "ConditionalCheckFailedException" });
      }
      const mine = await db.query({
        TableName: COUPONS,
        IndexName: "mine",
        KeyConditionExpression: "player = :p AND worth >= :w",
        ExpressionAttributeValues: { ":p": "p00", ":w": 10 },
      });
      assert.deepEqual(mine.Items.map((one) => [one.code, one.for]), [["autumn-0", 1000]]);
    });

    test("a coupon is spent once", async () => {
      const spend = (code, player) => db.transactWrite({
        TransactItems: [
          {
            Update: {
              TableName: COUPONS,
              Key: { code },
              UpdateExpression: "SET spent = :yes",
              ConditionExpression: "player = :p AND attribute_not_exists(spent)",
              ExpressionAttributeValues: { ":yes": true, ":p": player },
            },
          },
          {
            Update: {
              TableName: BOARD,
              Key: { season: "autumn", player },
              UpdateExpression: "SET points = points - :w",
              ExpressionAttributeValues: { ":w": 50 },
            },
          },
        ],
      });
      await spend("autumn-0", "p00");
      await assert.rejects(spend("autumn-0", "p00"), { code: "TransactionCanceledException" });
      const { Item } = await db.get({ TableName: BOARD, Key: { season: "autumn", player: "p00" } });
      assert.equal(Item.points, 950);
      const both = await db.batchGet({ RequestItems: { [COUPONS]: { Keys: [{ code: "autumn-0" }, { code: "autumn-9" }] } } });
      assert.deepEqual(both.Responses[COUPONS].map((one) => one.spent), [true]);
    });

    test("the season is closed", async () => {
      const losers = [];
      const scan = { TableName: BOARD, ProjectionExpression: "player", FilterExpression: "points < :p", ExpressionAttributeValues: { ":p": 30 } };
      for await (const page of pages("scan", scan, 25)) losers.push(...page.Items.map((one) => one.player));
      assert.equal(losers.length, 28);
      for (const player of losers) await db.delete({ TableName: BOARD, Key: { season: "autumn", player } });
      let left = 0;
      for await (const page of pages("query", ranking, 10)) left += page.Count;
      assert.equal(left, 32);
    });
  });
}
