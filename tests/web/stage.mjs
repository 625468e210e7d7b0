// What the dashboard is played on: the real etcd, Consul and Envoys, two instances, and Chancery. Each stage has ports and a
// folder of its own, and ends what it started.
import { execFile, spawn } from "node:child_process";
import { createWriteStream, rmSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const tools = process.env.CHANCERY_TOOLS ?? join(process.cwd(), ".tools/bin");
const chancery = process.env.CHANCERY ?? join(process.cwd(), "target/debug/chancery");

/** A port that is free now. */
async function free() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Asks again and again until `told` says something true. */
export async function eventually(what, told, within = 60_000) {
  const end = Date.now() + within;
  let last;
  for (;;) {
    try {
      const answer = await told();
      if (answer) return answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${within / 1000} s${last ? `: ${last}` : ""}`);
    await new Promise((later) => setTimeout(later, 100));
  }
}

/** A certificate for a name, that is its own authority and ends in 20 days. */
export async function certificate(folder, name) {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
  const of = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "20", "-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
  await promisify(execFile)("openssl", ["req", "-x509", ...of, "-keyout", key, "-out", cert]);
  return { key: await readFile(key, "utf8"), cert: await readFile(cert, "utf8") };
}

/** What runs still: it ends with this process, however that does. */
const running = new Map();
process.on("exit", () => {
  for (const [child, folder] of running) {
    child.kill(child.end);
    rmSync(folder, { recursive: true, force: true });
  }
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

export class Stage {
  #children = new Map();

  /** With so many Envoys of the gateway `default`; on files, without etcd and Consul; with a folder for the state that is saved. */
  static async set({ envoys = 2, keys = "", files = false, state = false } = {}) {
    const stage = new Stage();
    stage.folder = await mkdtemp(join(tmpdir(), "chancery-web-"));
    const names = ["etcd", "peer", "consul", "dns", "serf", "serfWan", "rpc", "grpc", "xds", "admin", "http", "strict", "echo1", "echo2"];
    stage.ports = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await free()])));
    stage.admin = `http://127.0.0.1:${stage.ports.admin}`;
    Object.assign(stage, { keys, files, state, proxies: [] });
    if (files) {
      await stage.put("gateways/default", stage.gateway());
      await stage.chancery();
      return stage;
    }
    stage.etcd();
    stage.consul();
    await eventually("etcd", () => stage.put("gateways/default", stage.gateway()));
    await eventually("Consul", async () => (await (await fetch(`${stage.consulUrl}/v1/status/leader`)).text()).length > 4);
    for (const [name, port] of [["echo-1", stage.ports.echo1], ["echo-2", stage.ports.echo2]]) {
      stage.start(name, chancery, ["echo", "--name", name, "--listen", `127.0.0.1:${port}`]);
      await stage.register(name, port);
    }
    await stage.chancery();
    for (let n = 1; n <= envoys; n += 1) await stage.envoy(`envoy-${n}`);
    return stage;
  }

  /** What `make demo` starts: Chancery with all that belongs to it, as children of one program that says where its page is. */
  static async demo() {
    const stage = new Stage();
    stage.folder = await mkdtemp(join(tmpdir(), "chancery-web-"));
    const folder = join(stage.folder, "demo");
    await mkdir(folder);
    const of = (name) => [`--${name}`, join(tools, name)];
    stage.start("demo", chancery, ["demo", "--folder", folder, ...of("envoy"), ...of("etcd"), ...of("consul")], "SIGTERM");
    const said = await eventually("the demo to say where its page is", async () => {
      const told = await readFile(join(stage.folder, "demo.log"), "utf8");
      return told.includes("Ctrl-C ends all of it") && told;
    });
    const port = (before) => Number(new RegExp(`${before}\\s+http://127.0.0.1:(\\d+)/`).exec(said)[1]);
    stage.ports = { admin: port("Open the dashboard:"), http: port("curl") };
    stage.admin = `http://127.0.0.1:${stage.ports.admin}`;
    return stage;
  }

  get consulUrl() {
    return `http://127.0.0.1:${this.ports.consul}`;
  }

  gateway() {
    return { listeners: [{ name: "http", address: "127.0.0.1", port: this.ports.http, protocol: "http" }] };
  }

  /** `end`: the signal that ends it. */
  start(name, program, args, end = "SIGKILL") {
    const log = createWriteStream(join(this.folder, `${name}.log`), { flags: "a" });
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    child.end = end;
    running.set(child, this.folder);
    child.gone = new Promise((gone) => child.on("exit", gone)).then(() => running.delete(child));
    this.#children.set(name, child);
    return child;
  }

  async stop(name, signal) {
    const child = this.#children.get(name);
    child?.kill(signal ?? child.end);
    await child?.gone;
    this.#children.delete(name);
  }

  signal(name, signal) {
    this.#children.get(name)?.kill(signal);
  }

  etcd() {
    const [client, peer] = [`http://127.0.0.1:${this.ports.etcd}`, `http://127.0.0.1:${this.ports.peer}`];
    this.start("etcd", join(tools, "etcd"), [
      "--data-dir", join(this.folder, "etcd"), "--listen-client-urls", client, "--advertise-client-urls", client,
      "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", `default=${peer}`,
    ]);
  }

  consul() {
    const { consul, dns, serf, serfWan, rpc, grpc } = this.ports;
    this.start("consul", join(tools, "consul"), [
      "agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1", `-http-port=${consul}`, `-dns-port=${dns}`,
      `-serf-lan-port=${serf}`, `-serf-wan-port=${serfWan}`, `-server-port=${rpc}`, `-grpc-port=${grpc}`,
    ]);
  }

  /** One more Chancery on the same etcd and Consul, under a name of its own. */
  async replica(id) {
    const [xds, admin] = [await free(), await free()];
    this.start(id, chancery, [
      "serve", "--etcd", `http://127.0.0.1:${this.ports.etcd}`, "--consul", this.consulUrl, "--replica-id", id,
      "--xds", `127.0.0.1:${xds}`, "--admin", `127.0.0.1:${admin}`,
    ]);
    await eventually(id, async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok);
    return { xds, admin };
  }

  async chancery() {
    const sources = this.files ? ["--files", join(this.folder, "documents")] : ["--etcd", `http://127.0.0.1:${this.ports.etcd}`, "--consul", this.consulUrl];
    const args = [
      "serve", ...sources, ...(this.state ? ["--state", join(this.folder, "state")] : []),
      "--xds", `127.0.0.1:${this.ports.xds}`, "--admin", `127.0.0.1:${this.ports.admin}`,
    ];
    if (this.keys) {
      const file = join(this.folder, "settings.yaml");
      await writeFile(file, this.keys);
      args.push("--config", file);
    }
    this.start("chancery", chancery, args);
    await eventually("Chancery", async () => (await fetch(`${this.admin}/readyz`)).ok);
  }

  /** Envoys of one gateway share its port. */
  async envoy(id, { gateway = "default", xds = this.ports.xds, more = [] } = {}) {
    const admin = await free();
    const text = await readFile("envoy/bootstrap.yaml", "utf8");
    const bootstrap = text
      .replaceAll("port_value: 18000", `port_value: ${xds}`)
      .replaceAll("port_value: 9901", `port_value: ${admin}`);
    await mkdir(join(this.folder, id), { recursive: true });
    const file = join(this.folder, id, "bootstrap.yaml");
    await writeFile(file, bootstrap);
    this.start(id, join(tools, "envoy"), [
      "-c", file, "--service-node", id, "--service-cluster", gateway, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning",
      ...more,
    ]);
    this.proxies.push(id);
    await eventually(`${id} to be connected`, async () => {
      const { nodes } = await this.ask("/v1/nodes?elsewhere=true");
      return nodes.some((node) => node.id === id && node.synced);
    });
  }

  register(name, port, more = {}) {
    return eventually(`${name} to be registered`, async () => {
      const answer = await fetch(`${this.consulUrl}/v1/agent/service/register`, {
        method: "PUT",
        body: JSON.stringify({ ID: name, Name: "echo", Address: "127.0.0.1", Port: port, Tags: ["v1"], Check: { TTL: "3600s", Status: "passing" }, ...more }),
      });
      return answer.ok;
    });
  }

  /** Writes a document as anybody's etcdctl, or editor, would. */
  async put(path, document) {
    if (this.files) {
      const file = join(this.folder, "documents", `${path}.json`);
      await mkdir(dirname(file), { recursive: true });
      return writeFile(file, JSON.stringify(document));
    }
    const base64 = (text) => Buffer.from(text).toString("base64");
    const body = JSON.stringify({ key: base64(`/chancery/${path}`), value: base64(JSON.stringify(document)) });
    return eventually(`etcd to take ${path}`, async () => {
      const answer = await fetch(`http://127.0.0.1:${this.ports.etcd}/v3/kv/put`, { method: "POST", body });
      if (!answer.ok) throw new Error(await answer.text());
      return (await answer.json()).header.revision;
    });
  }

  /** Deletes one. */
  async forget(path) {
    const key = Buffer.from(`/chancery/${path}`).toString("base64");
    await fetch(`http://127.0.0.1:${this.ports.etcd}/v3/kv/deleterange`, { method: "POST", body: JSON.stringify({ key }) });
  }

  async ask(path, headers = {}) {
    const answer = await fetch(this.admin + path, { headers });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /** What a request through the first Envoy is answered. */
  async request(path) {
    const answer = await fetch(`http://127.0.0.1:${this.ports.http}${path}`);
    return { status: answer.status, body: await answer.text() };
  }

  async end() {
    await Promise.all([...this.#children.keys()].reverse().map((name) => this.stop(name)));
    await rm(this.folder, { recursive: true, force: true });
  }
}
