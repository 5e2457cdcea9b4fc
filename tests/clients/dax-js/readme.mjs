// The README's snippets in JavaScript, as they are pasted but for the addresses.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { makeTable } from "./tables.mjs";

const ADDRESSES = { "http://127.0.0.1:8000": process.env.FOREBAY_ENDPOINT, "dax://127.0.0.1:8111": process.env.FOREBAY_DAX };

export default function ({ http }) {
  test("the README's snippets print the item", async () => {
    await makeTable(http, "coupons", { code: "S" });
    await http.putItem({ TableName: "coupons", Item: { code: { S: "SUN" }, percent: { N: "15" } } });
    const blocks = [...readFileSync(process.env.FOREBAY_README, "utf8").matchAll(/^```js\n(.*?)^```/gms)].map(([, block]) => block);
    assert.equal(blocks.length, 2);
    for (const [at, address] of Object.keys(ADDRESSES).entries()) {
      assert.ok(blocks[at].includes(address));
      const file = fileURLToPath(new URL("./pasted.mjs", import.meta.url));
      writeFileSync(file, blocks[at].replace(address, ADDRESSES[address]));
      const { stdout } = await promisify(execFile)(process.execPath, [file]);
      assert.equal(stdout, "{ code: { S: 'SUN' }, percent: { N: '15' } }\n");
    }
  });
}
