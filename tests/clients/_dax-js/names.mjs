// A name server of a suite's own: these clients ask DNS for a host, never the hosts file, so they can't find `localhost`.
import { createSocket } from "node:dgram";
import { setServers } from "node:dns";
import { once } from "node:events";

const HEADER_BYTES = 12;
const TYPE_A = 1;

// Has every name of this process stand for 127.0.0.1, and for no address of IPv6. Answers what ends it.
export async function allNamesAreHere() {
  const server = createSocket("udp4");
  server.on("message", (query, from) => {
    const end = query.indexOf(0, HEADER_BYTES) + 5;
    const question = query.subarray(HEADER_BYTES, end);
    const isA = question.readUInt16BE(question.length - 4) === TYPE_A;
    const header = Buffer.from([...query.subarray(0, 2), 0x81, 0x80, 0, 1, 0, Number(isA), 0, 0, 0, 0]);
    // The name of the question, A, IN, one second, four bytes.
    const answer = isA ? [0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1] : [];
    server.send(Buffer.concat([header, question, Buffer.from(answer)]), from.port, from.address);
  });
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
  setServers([`127.0.0.1:${server.address().port}`]);
  return () => server.close();
}
