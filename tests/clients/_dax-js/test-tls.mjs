// DAX over TLS: by address and by host name, and not with another's certificate.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { allNamesAreHere } from "./names.mjs";
import { Node, certificate } from "./node.mjs";
import { makeTable } from "./tables.mjs";
import { assertSame } from "./values.mjs";

// Made by `run.sh`, since Node.js reads whom it trusts when it starts: `good` is for 127.0.0.1 and dax.test, `other` for neither;
// both are trusted.
const certified = (name) => ["certificate", "key"].map((part) => (
  `tls.${part}_file=${join(process.env.FOREBAY_CERTIFICATES, `${name}-${part}.pem`)}`
));

export default function ({ client }) {
  describe("TLS", () => {
    let node;
    let endNames;

    before(async () => {
      endNames = await allNamesAreHere();
      node = await Node.start(...certified("good"));
      await makeTable(client.http(node.addresses.http), "things", { id: "S" });
    });
    after(async () => {
      endNames();
      await node.dispose();
    });

    for (const host of ["127.0.0.1", "dax.test"]) {
      test(`a client that trusts the certificate for ${host} is served`, async () => {
        const dax = client.connect(`daxs://${host}:${node.port("daxs")}`);
        const item = { id: { S: host }, text: { S: "x".repeat(300_000) } };
        await dax.putItem({ TableName: "things", Item: item });
        // The node names its port for TLS to those who came over TLS: the client goes on there.
        const Keys = Array.from({ length: 20 }, (_, at) => ({ id: { S: `${host} ${at}` } }));
        await Promise.all(Keys.map((Item) => dax.putItem({ TableName: "things", Item })));
        const found = await dax.batchGetItem({ RequestItems: { things: { Keys } } });
        assert.equal(found.Responses.things.length, 20);
        const refused = dax.putItem({ TableName: "things", Item: item, ConditionExpression: "attribute_not_exists(id)" });
        await assert.rejects(refused, { code: "ConditionalCheckFailedException" });
        assertSame((await dax.getItem({ TableName: "things", Key: { id: item.id } })).Item, item);
        dax.shutdown();
      });
    }

    test("a certificate that is not trusted, or for another name, is no route", async (t) => {
      // Of a refresh that failed the client prints a line and goes on trying.
      t.mock.method(console, "error", () => {});
      const untrusted = new Node([]);
      const { file, key } = certificate(untrusted.folder, "IP:127.0.0.1");
      untrusted.settings.push(`tls.certificate_file=${file}`, `tls.key_file=${key}`);
      for (const bad of [untrusted, new Node(certified("other"))]) {
        await bad.start();
        const dax = client.connect(bad.addresses.daxs, { maxRetryDelay: 500 });
        await assert.rejects(dax.getItem({ TableName: "things", Key: { id: { S: "x" } } }), { code: "NoRouteException" });
        dax.shutdown();
        await bad.dispose();
      }
    });

    test("there is no plain port beside it unless asked for", () => assert.equal(node.addresses.dax, undefined));
  });
}
