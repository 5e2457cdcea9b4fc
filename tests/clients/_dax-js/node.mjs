// A node of a suite's own, for what the shared one can't be put through: a restart, TLS, credentials, bounds.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

// Patience with a node that starts or stops; it takes well under a second.
const PATIENCE_MILLIS = 30_000;

// Runs `forebay dev` with its data in a folder of its own. Its ports are free ones, and the same after a restart.
export class Node {
  constructor(settings) {
    this.folder = mkdtempSync(join(tmpdir(), "forebay-"));
    this.settings = settings;
    // The addresses it printed, by name: `http`, `admin`, `dax`, `daxs`.
    this.addresses = {};
  }

  static async start(...settings) {
    const node = new Node(settings);
    await node.start();
    return node;
  }

  port(name) {
    return name in this.addresses ? Number(new URL(this.addresses[name]).port) : 0;
  }

  async start() {
    const flags = { http: "--http-port", dax: "--dax-port", daxs: "--dax-tls-port", grpc: "--grpc-port", admin: "--admin-port" };
    const ports = Object.entries(flags).flatMap(([name, flag]) => [flag, String(this.port(name))]);
    const settings = this.settings.flatMap((setting) => ["--set", setting]);
    const log = openSync(join(this.folder, "log.txt"), "a");
    const args = ["dev", "--data", join(this.folder, "data"), ...ports, ...settings];
    this.process = spawn(process.env.FOREBAY_BIN, args, { stdio: ["ignore", "pipe", log] });
    closeSync(log);
    this.ended = once(this.process, "exit");
    // Read to the end, so that the node never blocks on a full pipe.
    for await (const line of createInterface(this.process.stdout)) {
      const [name, address] = line.split(/\s+/);
      if (address?.includes("://")) this.addresses[name] ??= address;
      if (name === "data") break;
    }
    this.process.stdout.resume();
    const until = Date.now() + PATIENCE_MILLIS;
    while (!(await this.isReady())) {
      assert.equal(this.process.exitCode, null, `the node ended:\n${this.log()}`);
      assert.ok(Date.now() < until, `the node is not ready:\n${this.log()}`);
      await sleep(20);
    }
  }

  async isReady() {
    try {
      return (await fetch(`${this.addresses.admin}/ready`)).ok;
    } catch {
      return false;
    }
  }

  // Asks the node to stop, which it must do by itself and well. Answers how long it took, in milliseconds.
  async stop() {
    return this.end("SIGTERM", 0);
  }

  async kill() {
    return this.end("SIGKILL", null);
  }

  async end(how, code) {
    const began = Date.now();
    this.process.kill(how);
    const [ended] = await Promise.race([this.ended, sleep(PATIENCE_MILLIS, ["not at all"], { ref: false })]);
    this.process = undefined;
    assert.equal(ended, code, `the node ended with ${ended}:\n${this.log()}`);
    return Date.now() - began;
  }

  async dispose() {
    if (this.process) await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  log() {
    return readFileSync(join(this.folder, "log.txt"), "utf8");
  }
}

// Makes a certificate that is its own authority, for those names, such as `DNS:localhost` or `IP:127.0.0.1`.
export function certificate(folder, ...names) {
  const [file, key] = ["certificate.pem", "key.pem"].map((name) => join(folder, name));
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const subject = ["-subj", "/CN=forebay test", "-addext", `subjectAltName=${names.join()}`];
  execFileSync("openssl", [...request, ...subject, "-keyout", key, "-out", file], { stdio: "pipe" });
  return { file, key };
}
