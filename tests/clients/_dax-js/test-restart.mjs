// One client object before and after its node was started anew.
//
// Two things are at stake. The client has learned, for this node's address, which number stands for which attribute names, and never
// forgets it: a node that did would mislabel attributes. And these clients keep connections in a pool without looking whether they
// are still open: each that was closed while it lay there swallows one request, which never settles, neither well nor badly. No
// server can prevent that when its process is killed. What holds then is: as many requests as there were pooled connections may need
// the application's own timeout, and every other one is answered. A node that is asked to stop waits for the clients' own health
// checks and closes each connection under a request, which the client is told of, so that no dead one is left in a pool.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { counter } from "./counters.mjs";
import { Node } from "./node.mjs";
import { makeTable } from "./tables.mjs";
import { assertSame } from "./values.mjs";

const TableName = "things";
const SHAPES = [["a"], ["b"], ["a", "b"], ["name", "owner", "value"], ["value"], []];
const SWALLOWED = Symbol("swallowed");
// As long as an application waits here for an answer that comes within milliseconds.
const APPLICATION_TIMEOUT_MILLIS = 1000;
// As long as the client waits for its next health check to find the node again; it makes one every five seconds.
const REDISCOVERY_MILLIS = 7000;

// An item with these attributes; what each holds tells its name.
const ofShape = (names, id) => ({ id: { S: id }, ...Object.fromEntries(names.map((one) => [one, { S: `this is ${one}` }])) });

// What a request came to, or SWALLOWED if nothing by then.
export const within = (millis, request) => Promise.race([request, sleep(millis, SWALLOWED, { ref: false })]);

// Requests of an application that gives up on each after a while and tries again.
export class Patient {
  constructor(dax, patienceMillis = APPLICATION_TIMEOUT_MILLIS) {
    this.dax = dax;
    this.patienceMillis = patienceMillis;
    this.swallowed = 0;
  }

  async ask(operation, params) {
    for (;;) {
      const answer = await within(this.patienceMillis, this.dax[operation](params));
      if (answer !== SWALLOWED) return answer;
      this.swallowed += 1;
      assert.ok(this.swallowed < 100, "no request is answered any more");
    }
  }
}

// A node of the test's own with a table, and the client connected to it.
export async function served(client, t) {
  const node = await Node.start();
  const dax = client.connect(node.addresses.dax);
  t.after(async () => {
    dax.shutdown();
    await node.dispose();
  });
  await makeTable(client.http(node.addresses.http), TableName, { id: "S" });
  return { node, dax };
}

export const pooled = (node) => counter('forebay_client_connections{protocol="dax"}', node.addresses.admin);

export default function ({ client }) {
  describe("restart", { concurrency: true }, () => {
    // Of a refresh that failed the clients print a page.
    const { error } = console;
    before(() => { console.error = () => {}; });
    after(() => { console.error = error; });

    test("what the client has learned stays true when the node was killed, and no more requests are swallowed than connections", async (t) => {
      const { node, dax } = await served(client, t);
      const written = SHAPES.map((names, at) => ofShape(names, `before ${at}`));
      for (const Item of written) await dax.putItem({ TableName, Item });
      // Half of them are read, so that the client knows those lists in the other direction as well.
      for (const Item of written.filter((_, at) => at % 2)) {
        assertSame((await dax.getItem({ TableName, Key: { id: Item.id } })).Item, Item);
      }
      const connections = await pooled(node);
      await node.kill();
      await node.start();
      // Others are first to ask for numbers now; none of those the client holds may be among what they get.
      const other = client.connect(node.addresses.dax);
      for (let at = 0; at < 5; at++) await other.putItem({ TableName, Item: ofShape([`new${at}`], `other ${at}`) });
      const patient = new Patient(dax);
      const http = client.http(node.addresses.http);
      for (const Item of written) {
        assertSame((await patient.ask("getItem", { TableName, Key: { id: Item.id } })).Item, Item);
        const again = { ...Item, id: { S: `again ${Item.id.S}` } };
        const how = { TableName, Key: { id: again.id } };
        await patient.ask("putItem", { TableName, Item: again });
        assertSame((await patient.ask("getItem", how)).Item, again);
        assertSame((await other.getItem(how)).Item, again);
        assertSame((await http.getItem(how)).Item, again);
      }
      assert.ok(patient.swallowed <= connections, `${patient.swallowed} requests were swallowed, of ${connections} connections`);
      other.shutdown();
    });

    test("after a graceful stop no request is swallowed, and what the client has learned stays true", async (t) => {
      const { node, dax } = await served(client, t);
      const written = SHAPES.map((names, at) => ofShape(names, `before ${at}`));
      await Promise.all(written.map((Item) => dax.putItem({ TableName, Item })));
      assert.ok((await pooled(node)) >= 2, "one connection alone shows little");
      const took = await node.stop();
      assert.ok(took < 8000, `the stop took ${took} ms`);
      await node.start();
      const patient = new Patient(dax, REDISCOVERY_MILLIS);
      for (const Item of written) {
        assertSame((await patient.ask("getItem", { TableName, Key: { id: Item.id } })).Item, Item);
        const again = { ...Item, id: { S: `again ${Item.id.S}` } };
        await patient.ask("putItem", { TableName, Item: again });
        assertSame((await client.http(node.addresses.http).getItem({ TableName, Key: { id: again.id } })).Item, again);
      }
      assert.equal(patient.swallowed, 0);
    });

    test("a request under way when the node is killed is told so", async (t) => {
      const { node, dax } = await served(client, t);
      const Key = { id: { S: "x" } };
      await dax.putItem({ TableName, Item: Key });
      // Held still, so that the requests are surely under way.
      node.process.kill("SIGSTOP");
      await sleep(100);
      const requests = Array.from({ length: 10 }, () => dax.getItem({ TableName, Key }));
      const told = Promise.all(requests.map((one) => assert.rejects(one, { code: /^(Connection|NoRoute)Exception$/ })));
      await sleep(100);
      await node.kill();
      // The retry finds no route, and waits seven seconds for one.
      assert.notEqual(await within(10_000, told), SWALLOWED);
    });

    test("an idle connection is kept open for longer than the client looks after it", async (t) => {
      const { node, dax } = await served(client, t);
      const Item = { id: { S: "idle" } };
      await dax.putItem({ TableName, Item });
      await sleep(7000);
      assert.notEqual(await within(APPLICATION_TIMEOUT_MILLIS, dax.getItem({ TableName, Key: Item })), SWALLOWED);
    });

    client.restarts(test);
  });
}
