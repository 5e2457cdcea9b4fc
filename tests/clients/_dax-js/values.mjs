// Attribute values as the shared cases write them, and when two of them are equal.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";

// The cases of that name, which all suites of DAX share.
export const cases = (name) => JSON.parse(readFileSync(join(process.env.FOREBAY_CASES, `${name}.json`), "utf8"));

// An attribute value, from JSON, where binaries are base64.
export function value(written) {
  const [[kind, inner]] = Object.entries(written);
  switch (kind) {
    case "B": return { B: Buffer.from(inner, "base64") };
    case "BS": return { BS: inner.map((one) => Buffer.from(one, "base64")) };
    case "L": return { L: inner.map(value) };
    case "M": return { M: item(inner) };
    default: return { [kind]: inner };
  }
}

// An item, from JSON.
export const item = (written) => Object.fromEntries(Object.entries(written).map(([name, one]) => [name, value(one)]));

// A decimal number's one plain form: its digits, and the power of ten of the last.
function plain(text) {
  const [, sign, whole, fraction = "", exponent = "0"] = /^([-+]?)(\d*)\.?(\d*)(?:[eE]([-+]?\d+))?$/.exec(text);
  const digits = (whole + fraction).replace(/^0+/, "");
  const kept = digits.replace(/0+$/, "");
  if (kept === "") return "0";
  return `${sign === "-" ? "-" : ""}${kept}e${Number(exponent) - fraction.length + digits.length - kept.length}`;
}

// The same for all forms of the same value: numbers by what they are, sets in one order. In lists within lists of a projection
// the client leaves holes for the elements that were not asked for; they are no part of the value.
function canonical(written) {
  const [[kind, inner]] = Object.entries(written);
  const bytes = (one) => Buffer.from(one).toString("base64");
  switch (kind) {
    case "N": return { N: plain(inner) };
    case "NS": return { NS: inner.map(plain).sort() };
    case "SS": return { SS: [...inner].sort() };
    case "B": return { B: bytes(inner) };
    case "BS": return { BS: inner.map(bytes).sort() };
    case "L": return { L: inner.filter(() => true).map(canonical) };
    case "M": return { M: canonicalItem(inner) };
    default: return { [kind]: inner };
  }
}

const canonicalItem = (written) => Object.fromEntries(Object.entries(written).map(([name, one]) => [name, canonical(one)]));

// Asserts that two items hold the same values.
export function assertSame(found, wanted, message) {
  assert.deepEqual(found && canonicalItem(found), wanted && canonicalItem(wanted), message);
}
