// Proxies in such numbers that no machine of ours runs as many Envoys: each has a stream of its own, asks for clusters and
// listeners as Envoy 1.40 does, and accepts what it is sent.
import { connect } from "node:http2";
import { eventually } from "./stage.mjs";

const PATH = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
const TYPES = ["envoy.config.cluster.v3.Cluster", "envoy.config.listener.v3.Listener"].map((name) => `type.googleapis.com/${name}`);
/** How many streams share a connection. */
const SHARED = 50;

function varint(of) {
  const bytes = [];
  for (; of > 127; of = Math.floor(of / 128)) bytes.push((of % 128) | 128);
  return Buffer.from([...bytes, of]);
}

/** A field of a message: a number, or a text or message with its length before it. */
function field(number, value) {
  if (typeof value === "number") return Buffer.concat([varint(number * 8), varint(value)]);
  const bytes = Buffer.from(value);
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

const message = (...fields) => Buffer.concat(fields);

/** The texts of a message, by their fields' numbers; of all but texts and messages there is nothing in what is read here. */
function texts(bytes) {
  const found = {};
  let at = 0;
  const number = () => {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  };
  while (at < bytes.length) {
    const tag = number();
    const length = number();
    if (tag % 8 !== 2) continue;
    found[Math.floor(tag / 8)] = bytes.subarray(at, at + length);
    at += length;
  }
  return found;
}

export class Fleet {
  #connections = [];

  /** So many join the gateway `default`, and have everything. */
  static async join(stage, names) {
    const fleet = new Fleet();
    for (let at = 0; at < names.length; at += SHARED) {
      const connection = connect(`http://127.0.0.1:${stage.ports.xds}`);
      connection.on("error", () => {});
      fleet.#connections.push(connection);
      for (const name of names.slice(at, at + SHARED)) fleet.#open(connection, name);
    }
    await eventually(`${names.length} proxies to have everything`, async () => {
      const { nodes } = await stage.ask("/v1/nodes");
      const synced = new Set(nodes.filter((node) => node.synced).map((node) => node.id));
      return names.every((name) => synced.has(name));
    }, 180_000);
    return fleet;
  }

  #open(connection, name) {
    const stream = connection.request({ ":method": "POST", ":path": PATH, "content-type": "application/grpc", te: "trailers" });
    stream.on("error", () => {});
    const send = (bytes) => {
      const head = Buffer.alloc(5);
      head.writeUInt32BE(bytes.length, 1);
      stream.write(Buffer.concat([head, bytes]));
    };
    const version = message(field(1, 1), field(2, 40), field(3, 0));
    const node = message(field(1, name), field(2, "default"), field(6, "envoy"), field(8, field(1, version)));
    for (const type of TYPES) send(message(field(2, node), field(4, type)));
    let rest = Buffer.alloc(0);
    stream.on("data", (part) => {
      rest = Buffer.concat([rest, part]);
      while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
        const end = 5 + rest.readUInt32BE(1);
        const told = texts(rest.subarray(5, end));
        rest = rest.subarray(end);
        send(message(field(1, told[1]), field(4, told[4]), field(5, told[5])));
      }
    });
  }

  leave() {
    for (const connection of this.#connections) connection.destroy();
  }
}
