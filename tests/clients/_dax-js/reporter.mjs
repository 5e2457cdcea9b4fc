// Reporter of node:test: what failed, and one line of counts at the end.
import { inspect } from "node:util";

export default async function* (events) {
  let passed = 0;
  let failed = 0;
  for await (const { type, data } of events) {
    if (type === "test:stdout" || type === "test:stderr") yield data.message;
    if (data.details?.type === "suite" || data.skip !== undefined) continue;
    if (type === "test:pass") passed += 1;
    if (type === "test:fail") {
      failed += 1;
      yield `FAILED ${data.name}: ${inspect(data.details.error.cause ?? data.details.error)}\n`;
    }
  }
  yield `${passed} passed, ${failed} failed\n`;
}
