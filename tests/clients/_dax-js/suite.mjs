// All shared cases, for the client that `client.mjs` brings, and then its own.
import { after, before, describe } from "node:test";

import { client } from "./client.mjs";
import { makeScores, makeTable } from "./tables.mjs";

const SHARED = ["values", "expressions", "keys", "pages", "batches", "cache", "errors", "rules", "tls", "restart", "flow"];

const dax = client.connect(process.env.FOREBAY_DAX);
const http = client.http(process.env.FOREBAY_ENDPOINT);
const all = { client, dax, http, things: "things", scores: "scores" };
before(async () => {
  await makeTable(http, all.things, { id: "S" });
  await makeScores(http, all.scores);
});
after(() => dax.shutdown());
for (const name of SHARED) {
  const { default: cases } = await import(`./test-${name}.mjs`);
  describe(name, () => cases(all));
}
for (const name of client.own) {
  const { default: cases } = await import(`./${name}.mjs`);
  describe(name, () => cases(all));
}
