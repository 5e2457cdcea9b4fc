// What Forebay's admin port counted, for tests that assert where an answer came from.
import assert from "node:assert/strict";

// The sum of a metric over its labels, or of those written behind its name.
export async function counter(name, admin = process.env.FOREBAY_ADMIN) {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const rows = text.split("\n").filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  assert.ok(rows.length > 0, `${name} is not among the metrics`);
  return rows.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

// Asserts that a counter grows by at least `by` while `body` runs.
export async function grows(name, by, body) {
  const before = await counter(name);
  await body();
  const grown = (await counter(name)) - before;
  assert.ok(grown >= by, `${name} grew by ${grown}, not by ${by}`);
}
