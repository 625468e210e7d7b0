// @ts-check
// The kinds of documents: how they are asked for, and what of them is shown in a list.
import { ask } from "./api.js";

const ONES = /** @type {Record<string, string>} */ ({
  routes: "GET /apisix/admin/routes/{id}",
  services: "GET /apisix/admin/services/{id}",
  upstreams: "GET /apisix/admin/upstreams/{id}",
  stream_routes: "GET /apisix/admin/stream_routes/{id}",
  plugin_configs: "GET /apisix/admin/plugin_configs/{id}",
  global_rules: "GET /apisix/admin/global_rules/{id}",
  consumers: "GET /apisix/admin/consumers/{id}",
  consumer_groups: "GET /apisix/admin/consumer_groups/{id}",
  ssls: "GET /apisix/admin/ssls/{id}",
  protos: "GET /apisix/admin/protos/{id}",
  plugin_metadata: "GET /apisix/admin/plugin_metadata/{id}",
  secrets: "GET /apisix/admin/secrets/vault/{id}",
  gateways: "GET /apisix/admin/gateways/{id}",
});
export const KINDS = Object.keys(ONES);

/** What a new document of a kind begins as. */
export const FIRST = /** @type {Record<string, any>} */ ({
  routes: { uri: "/hello", upstream: { nodes: { "127.0.0.1:8080": 1 } } },
  services: { upstream: { nodes: { "127.0.0.1:8080": 1 } } },
  upstreams: { nodes: { "127.0.0.1:8080": 1 } },
  stream_routes: { server_port: 5432, upstream: { nodes: { "127.0.0.1:5432": 1 } } },
  plugin_configs: { plugins: { cors: {} } },
  global_rules: { plugins: { "request-id": {} } },
  consumers: { username: "jack", plugins: { "key-auth": { key: "…" } } },
  consumer_groups: { plugins: {} },
  ssls: { snis: ["www.example.com"], cert: "-----BEGIN CERTIFICATE-----\n…", key: "-----BEGIN PRIVATE KEY-----\n…" },
  protos: { content: 'syntax = "proto3";\npackage hello;\nservice Greeter { rpc Greet (Name) returns (Name); }\nmessage Name { string name = 1; }' },
  plugin_metadata: { log_format: { host: "$host", status: "$status" } },
  secrets: { uri: "https://vault.example.com:8200", prefix: "kv/apisix", token: "$env://VAULT_TOKEN" },
  gateways: { listeners: [{ name: "http", address: "0.0.0.0", port: 9080, protocol: "http" }] },
});

/** @typedef {{path: string, id: string, value: any, modified: number}} Held */

/**
 * One document, or nothing.
 * @param {string} kind @param {string} id @param {boolean} masked @param {AbortSignal} [signal]
 * @returns {Promise<Held | null>}
 */
export async function one(kind, id, masked, signal) {
  const [owner, below, last] = id.split("/");
  const [call, fields] =
    kind === "consumers" && below
      ? ["GET /apisix/admin/consumers/{username}/credentials/{id}", { username: owner, id: last }]
      : // The manager stands before the id.
        [ONES[kind], { id: kind === "secrets" ? below : id }];
  try {
    const held = await ask(call, { ...fields, masked: masked ? true : undefined }, { signal });
    return { path: `${kind}/${id}`, id, value: object(held.value), modified: held.modifiedIndex };
  } catch (error) {
    if (/** @type {any} */ (error).code === 404) return null;
    throw error;
  }
}

/** The credentials of a consumer. @param {string} username @param {AbortSignal} [signal] @returns {Promise<Held[]>} */
export async function credentials(username, signal) {
  try {
    const { list } = await ask("GET /apisix/admin/consumers/{username}/credentials", { username, masked: true }, { signal });
    return list.map((held) => {
      const id = `${username}/credentials/${held.value.id}`;
      return { path: `consumers/${id}`, id, value: object(held.value), modified: held.modifiedIndex };
    });
  } catch (error) {
    if (/** @type {any} */ (error).code === 404) return [];
    throw error;
  }
}

/** Answers whether a document would be read, and changes nothing. @param {string} kind @param {any} document @param {AbortSignal} [signal] */
export const check = (kind, document, signal) => ask("POST /apisix/admin/schema/validate/{kind}", { kind, body: document }, { signal });

/** Without what stands in the path, or is noted by itself: nobody edits that. @param {any} value */
export function edited(value) {
  const { id: _id, create_time: _made, update_time: _written, ...rest } = value;
  return rest;
}

/** Whether anything in it is only a marker for what is not shown. @param {any} value */
export const hidden = (value) => JSON.stringify(value).includes("(a secret: not shown)");

/** What should be an object, and may be anything: rejected documents are shown as well. @param {any} value */
const object = (value) => (value !== null && typeof value === "object" ? value : {});
/** Texts or lists of them, as one list of texts, whatever they are. @param {any[]} of @returns {string[]} */
export const all = (...of) =>
  of.flat().filter((one) => one !== undefined && one !== null && one !== "").map((one) => (typeof one === "object" ? JSON.stringify(one) : String(one)));
export const hosts = (value) => all(value.host, value.hosts, value.sni, value.snis);
export const paths = (value) => all(value.uri, value.uris, value.server_port && `:${value.server_port}`);
export const plugins = (value) => Object.keys(object(value.plugins));
export const isOff = (value) => value.status === 0;

/** Where a document sends requests, in words. @param {any} value */
export function target(value) {
  const upstream = object(value.upstream ?? value);
  if (value.upstream_id !== undefined) return `upstreams/${value.upstream_id}`;
  if (value.service_id !== undefined) return `services/${value.service_id}`;
  if (upstream.service_name) return `${upstream.discovery_type ?? "consul"}/${upstream.service_name}`;
  const nodes = Array.isArray(upstream.nodes) ? upstream.nodes.map((node) => `${object(node).host}:${object(node).port}`) : Object.keys(object(upstream.nodes));
  return nodes.join(", ");
}
