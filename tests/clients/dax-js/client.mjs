// The DAX client for the AWS SDK for JavaScript v3, as the shared cases use it.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import { Dax } from "@amazon-dax-sdk/client-dax";
import { DaxDocument, daxPaginateQuery, daxPaginateScan } from "@amazon-dax-sdk/lib-dax";
import { DynamoDB } from "@aws-sdk/client-dynamodb";

import { Patient, pooled, served } from "./test-restart.mjs";

const COMMON = { region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } };

export const client = {
  own: ["readme"],
  connect: (endpoint, how) => new Dax({ endpoints: [endpoint], ...COMMON, ...how }),
  http: (endpoint, how) => new DynamoDB({ endpoint, maxAttempts: 2, ...COMMON, ...how }),
  // Its client of plain values, and how that one pages and has sets.
  documents(endpoint) {
    const db = new DaxDocument({ endpoints: [endpoint], ...COMMON });
    const paginators = { query: daxPaginateQuery, scan: daxPaginateScan };
    return {
      db,
      pages: (operation, params, pageSize) => paginators[operation]({ client: db, pageSize }, { ...params }),
      set: (list) => new Set(list),
      elements: (set) => [...set],
    };
  },
  // What it refuses by itself beyond what both do.
  refuses: [["query", { Limit: 0 }], ["createTable", {}]],

  restarts(test) {
    test("after a kill the client's own health check takes dead connections out", async (t) => {
      const { node, dax } = await served(client, t);
      await dax.putItem({ TableName: "things", Item: { id: { S: "x" } } });
      const connections = await pooled(node);
      await node.kill();
      await node.start();
      // Five seconds to the first, then for each connection a second until it gives up and half a second to the next.
      await sleep(5000 + 1500 * connections + 1000);
      const patient = new Patient(dax);
      for (let n = 0; n < 10; n++) await patient.ask("getItem", { TableName: "things", Key: { id: { S: "x" } } });
      assert.equal(patient.swallowed, 0);
    });
  },
};
