// The DAX client for the AWS SDK for JavaScript v2, as the shared cases use it.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import AmazonDaxClient from "amazon-dax-client";
import AWS from "aws-sdk";

import { Patient, served } from "./test-restart.mjs";

const COMMON = { region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } };

// The same methods, answering promises as those of v3 do.
const promising = (service) => new Proxy(service, {
  get: (target, name) => (name === "shutdown" ? () => target.shutdown() : (params) => target[name](params).promise()),
});

export const client = {
  own: [],
  connect: (endpoint, how) => promising(new AmazonDaxClient({ endpoints: [endpoint], ...COMMON, ...how })),
  http: (endpoint, how) => promising(new AWS.DynamoDB({ endpoint, maxRetries: 1, ...COMMON, ...how })),
  // Its client of plain values, and how that one pages and has sets.
  documents(endpoint) {
    const service = new AmazonDaxClient({ endpoints: [endpoint], ...COMMON });
    const plain = new AWS.DynamoDB.DocumentClient({ service });
    const db = promising(Object.assign(plain, { shutdown: () => service.shutdown() }));
    return {
      db,
      async* pages(operation, params, Limit) {
        let ExclusiveStartKey;
        do {
          const page = await db[operation]({ ...params, Limit, ...(ExclusiveStartKey && { ExclusiveStartKey }) });
          yield page;
          ExclusiveStartKey = page.LastEvaluatedKey;
        } while (ExclusiveStartKey);
      },
      set: (list) => plain.createSet(list),
      elements: (set) => set.values,
    };
  },
  refuses: [],

  restarts(test) {
    test("a health check that fails while the node is away takes all connections out", async (t) => {
      const { node, dax } = await served(client, t);
      await dax.putItem({ TableName: "things", Item: { id: { S: "x" } } });
      await node.kill();
      // It connects anew every five seconds; one such attempt must find nobody.
      await sleep(6000);
      await node.start();
      // And the next finds the node again.
      await sleep(5000);
      const patient = new Patient(dax);
      for (let n = 0; n < 10; n++) await patient.ask("getItem", { TableName: "things", Key: { id: { S: "x" } } });
      assert.equal(patient.swallowed, 0);
    });
  },
};
