// What Forebay's admin port counted, for tests that assert where an answer came from.
import assert from "node:assert/strict";

// The sum of a metric over its labels, or of those written behind its name.
export async function counter(name, admin = process.env.FOREBAY_ADMIN) {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const rows = text.split("\n").filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  assert.ok(rows.length > 0, `${name} is not among the metrics`);
  return rows.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

// Asserts that a counter grows by at least `by` while `body` runs. Of so many `pages` among what is read there (an absence is one,
// since nobody wrote it), each node behind the endpoint but the one that was asked before has its own first read: memory is each
// node's own, and only what is written is in all of them.
export async function grows(name, by, body, { pages = 0 } = {}) {
  const least = by - pages * (Number(process.env.FOREBAY_NODES ?? 1) - 1);
  const before = await counter(name);
  await body();
  const grown = (await counter(name)) - before;
  assert.ok(grown >= least, `${name} grew by ${grown}, not by ${least}`);
}

// How many requests of an operation the client makes while `body` runs, which makes no others: what a node passes on to the primary
// is counted there too.
export async function requested(operation, body) {
  const all = () => counter(`forebay_total_request_count_total{operation="${operation}"}`);
  const passedOn = async () => (process.env.FOREBAY_NODES ?? "1") === "1" ? 0 : counter("forebay_forwards_total");
  const before = (await all()) - (await passedOn());
  await body();
  return (await all()) - (await passedOn()) - before;
}
