//! The calls of the Admin API, as OpenAPI tells them. Which methods a kind has is asked where calls are.

use serde_json::{Map, Value, json};

use super::ROOT;
use super::target::{can_patch, can_post};
use crate::api::openapi::{Said, content, named};
use crate::documents::schema;
use crate::model::Kind;

/// The schema of all plugins, which several kinds have in common.
const PLUGINS: &str = "plugins";
const ERROR: &str = "AdminError";
const DRY_RUN: &str = "DryRun";
const PROTO: &str = "syntax = \"proto3\"; package hello; message Name { string name = 1; } \
                     service Greeter { rpc Greet (Name) returns (Name); }";
/// What stands for a certificate and its key: neither is in the program.
const PAIR: &str = "(PEM)";

pub fn say(said: &mut Said) {
    for kind in Kind::ALL {
        of_kind(kind, said);
    }
    about(said);
    let error = json!({
        "type": "object",
        "properties": {
            "error_msg": { "type": "string" },
            "message": { "type": "string", "description": "Of a document that is not there." },
            "description": { "type": "string" },
        },
    });
    said.schemas.insert(ERROR.to_owned(), error);
    said.schemas.insert(DRY_RUN.to_owned(), dry_run());
}

/// The calls about documents of a kind.
fn of_kind(kind: Kind, said: &mut Said) {
    let plural = kind.as_str();
    let mut schema = schema::of(kind);
    if let Value::Object(fields) = &mut schema {
        fields.remove("$schema");
    }
    if matches!(
        kind,
        Kind::Route | Kind::Service | Kind::PluginConfig | Kind::GlobalRule
    ) {
        let plugins = schema["properties"]["plugins"].take();
        schema["properties"]["plugins"] = named(PLUGINS);
        said.schemas.insert(PLUGINS.to_owned(), plugins);
    }
    said.schemas.insert(plural.to_owned(), schema);
    let folder = match kind {
        Kind::Credential => format!("{ROOT}/consumers/{{username}}/credentials"),
        Kind::Secret => format!("{ROOT}/{plural}/vault"),
        _ => format!("{ROOT}/{plural}"),
    };
    let owner = (kind == Kind::Credential).then(|| in_path("username", "jack"));
    let consumer: Vec<_> = owner.into_iter().collect();
    let held = held(kind);
    let list = json!({
        "type": "object",
        "properties": { "list": { "type": "array", "items": held }, "total": { "type": "integer" } },
        "required": ["list", "total"],
    });
    let all = [consumer.clone(), filters()].concat();
    said.call(
        &folder,
        "get",
        call(
            &format!("all {plural}"),
            "read",
            &all,
            &answers(&["200"], &list),
        ),
    );
    let written = written(kind);
    let with_id = |mut document: Value| {
        if kind != Kind::Consumer {
            let id = id(kind);
            document["id"] = match kind {
                Kind::Secret => format!("vault/{id}").into(),
                _ => id.into(),
            };
        }
        document
    };
    let without_id = [consumer.clone(), terms()].concat();
    let created = answers(&["200", "201", "202"], &written);
    let mut below = call(
        "writes the one whose id is in the body",
        "admin",
        &without_id,
        &created,
    );
    below["requestBody"] = body(&named(plural), &with_id(example(kind)));
    said.call(&folder, "put", below);
    if can_post(kind) {
        let mut post = call(
            "writes one, and gives it an id",
            "admin",
            &without_id,
            &created,
        );
        post["requestBody"] = body(&named(plural), &example(kind));
        said.call(&folder, "post", post);
    }
    let own = [consumer, vec![in_path("id", id(kind))]].concat();
    let one = format!("{folder}/{{id}}");
    said.call(
        &one,
        "get",
        call(
            "one",
            "read",
            &[own.clone(), vec![masked()]].concat(),
            &answers(&["200"], &held),
        ),
    );
    let with_terms = [own.clone(), terms()].concat();
    let mut put = call("writes one", "admin", &with_terms, &created);
    put["requestBody"] = body(&named(plural), &example(kind));
    said.call(&one, "put", put);
    if can_patch(kind) {
        let mut patch = call(
            "merges into one: lists are replaced, `null` deletes",
            "admin",
            &with_terms,
            &created,
        );
        patch["requestBody"] = body(
            &json!({ "type": "object" }),
            &json!({ "desc": "an example" }),
        );
        said.call(&one, "patch", patch);
        let step = in_path("step", "desc");
        let parts = [own.clone(), vec![step], terms()].concat();
        let mut part = call(
            "replaces what is there by any JSON; steps are separated by slashes",
            "admin",
            &parts,
            &created,
        );
        part["requestBody"] = body(&json!({}), &json!("another example"));
        said.call(&format!("{one}/{{step}}"), "patch", part);
    }
    let deleted = json!({ "anyOf": [
        {
            "type": "object",
            "properties": { "key": { "type": "string" }, "deleted": { "const": "1" } },
            "required": ["key", "deleted"],
            "additionalProperties": false,
        },
        named(DRY_RUN),
    ] });
    let mut delete = with_terms;
    delete.push(in_query(
        "force",
        json!({ "type": "boolean" }),
        "also what others name",
        Some(json!(true)),
    ));
    said.call(
        &one,
        "delete",
        call(
            "deletes one",
            "admin",
            &delete,
            &answers(&["200", "202"], &deleted),
        ),
    );
}

/// What is no document.
fn about(said: &mut Said) {
    let object = json!({ "type": "object" });
    let mut get = |path: &str, does: &str, parameters: &[Value], answer: &Value| {
        let call = call(does, "read", parameters, &answers(&["200"], answer));
        said.call(&format!("{ROOT}{path}"), "get", call);
    };
    get("", "whether anybody is there", &[], &object);
    let names = json!({ "type": "array", "items": { "type": "string" } });
    get("/plugins/list", "the names of all plugins", &[], &names);
    let all = in_query(
        "all",
        json!({ "type": "boolean" }),
        "says nothing: all are shown",
        Some(json!(true)),
    );
    get(
        "/plugins",
        "all plugins with their schemas",
        &[all],
        &object,
    );
    let consumer = in_query(
        "schema_type",
        json!({ "enum": ["consumer", "metadata"] }),
        "what a consumer holds of it, or the fields of its metadata",
        None,
    );
    let plugin = [in_path("name", "cors"), consumer];
    get(
        "/plugins/{name}",
        "the schema of a plugin",
        &plugin,
        &object,
    );
    get(
        "/schema/plugins/{name}",
        "the schema of a plugin",
        &plugin[..1],
        &object,
    );
    get(
        "/schema/{kind}",
        "the schema of a kind, by its singular",
        &[in_path("kind", "route")],
        &object,
    );
    let text = json!({ "200": { "description": "`done`", "content": { "text/plain": { "schema": { "type": "string" } } } }, "default": refused() });
    said.call(
        &format!("{ROOT}/plugins/reload"),
        "put",
        call(
            "does nothing: plugins are part of the program",
            "admin",
            &[],
            &text,
        ),
    );
    let good = json!({ "200": { "description": "It would be one." }, "default": refused() });
    let kinds = [in_path("kind", "routes")];
    let mut one = call(
        "whether a text would be a document of a kind, by its plural",
        "read",
        &kinds,
        &good,
    );
    one["requestBody"] = body(&object, &example(Kind::Route));
    said.call(&format!("{ROOT}/schema/validate/{{kind}}"), "post", one);
    let mut many = call(
        "whether many would be: lists by kind",
        "read",
        &[],
        &answers(&["200"], &object),
    );
    let mut route = example(Kind::Route);
    route["id"] = "hello".into();
    many["requestBody"] = body(&object, &json!({ "routes": [route] }));
    said.call(&format!("{ROOT}/configs/validate"), "post", many);
}

fn call(does: &str, role: &str, parameters: &[Value], responses: &Value) -> Value {
    json!({
        "summary": does,
        "tags": ["admin"],
        "x-role": role,
        "security": [{}, { "header": [] }, { "parameter": [] }, { "cookie": [] }],
        "parameters": parameters,
        "responses": responses,
    })
}

fn answers(statuses: &[&str], schema: &Value) -> Value {
    let said = |status: &str| match status {
        "201" => "It is new.",
        "202" => "It is written, and not every Envoy has it yet: `Chancery-Behind` says how many.",
        _ => "It is as asked.",
    };
    let answer = |status: &&str| {
        let answer = json!({ "description": said(status), "content": content(schema) });
        ((*status).to_owned(), answer)
    };
    let mut all: Map<_, _> = statuses.iter().map(answer).collect();
    all.insert("default".to_owned(), refused());
    Value::Object(all)
}

fn refused() -> Value {
    json!({ "description": "It is refused.", "content": content(&named(ERROR)) })
}

/// A document of the kind with what its text does not say.
fn held(kind: Kind) -> Value {
    json!({
        "type": "object",
        "properties": {
            "key": { "type": "string" },
            "value": value(kind),
            "createdIndex": { "type": "integer" },
            "modifiedIndex": { "type": "integer" },
        },
        "required": ["key", "value", "createdIndex", "modifiedIndex"],
        "additionalProperties": false,
    })
}

/// What is written, or what would be.
fn written(kind: Kind) -> Value {
    let written = json!({
        "type": "object",
        "properties": { "key": { "type": "string" }, "value": value(kind) },
        "required": ["key", "value"],
        "additionalProperties": false,
    });
    json!({ "anyOf": [written, named(DRY_RUN)] })
}

/// The answer to `dry_run=true`.
fn dry_run() -> Value {
    json!({
        "type": "object",
        "properties": {
            "key": { "type": "string" },
            "dry_run": { "const": true },
            "before": { "description": "The document that is there; null where there is none." },
            "after": { "description": "What it would be; null where it would be deleted." },
            "warnings": { "type": "array", "items": { "type": "string" } },
            "envoys": { "type": "array", "items": { "type": "object" }, "description": "By gateway and kind of proxy, what of their resources would change." },
        },
        "required": ["key", "dry_run"],
        "additionalProperties": false,
    })
}

/// A private key is shown to nobody.
fn value(kind: Kind) -> Value {
    if kind == Kind::Ssl {
        json!({ "type": "object" })
    } else {
        named(kind.as_str())
    }
}

fn body(schema: &Value, example: &Value) -> Value {
    let mut content = content(schema);
    content["application/json"]["example"] = example.clone();
    json!({ "required": true, "content": content })
}

fn in_path(name: &str, example: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" }, "example": example })
}

fn in_query(name: &str, schema: Value, says: &str, example: Option<Value>) -> Value {
    let mut parameter =
        json!({ "name": name, "in": "query", "schema": schema, "description": says });
    if let Some(example) = example {
        parameter["example"] = example;
    }
    parameter
}

/// Of calls that read.
fn masked() -> Value {
    let says = "`true`: what may be secret is not shown, whatever the key may see";
    in_query("masked", json!({ "type": "boolean" }), says, None)
}

fn filters() -> Vec<Value> {
    let text = || json!({ "type": "string" });
    let number = || json!({ "type": "integer" });
    vec![
        in_query("page", number(), "which page, from 1", Some(json!(1))),
        in_query(
            "page_size",
            number(),
            "10 to 500; without both all of them",
            Some(json!(10)),
        ),
        masked(),
        in_query("name", text(), "a pattern", None),
        in_query("uri", text(), "a pattern", None),
        in_query("label", text(), "the name of a label that it has", None),
        in_query(
            "filter",
            text(),
            "fields, as `service_id%3D1%26upstream_id%3D2`",
            None,
        ),
        in_query(
            "search",
            text(),
            "words in id, name, description, host, path, plugin, label or upstream",
            None,
        ),
    ]
}

/// On which terms it is written.
fn terms() -> Vec<Value> {
    let header = |name: &str, says: &str| json!({ "name": name, "in": "header", "schema": { "type": "string" }, "description": says });
    vec![
        in_query(
            "wait",
            json!({ "type": "string" }),
            "how long to wait until every Envoy has it: `10s`",
            None,
        ),
        in_query(
            "dry_run",
            json!({ "type": "boolean" }),
            "write nothing, and tell what would be",
            None,
        ),
        in_query(
            "ttl",
            json!({ "type": "integer" }),
            "after how many seconds it is gone by itself",
            None,
        ),
        header("If-Match", "only what this ETag is of"),
        header("If-None-Match", "`*`: only if there is none"),
    ]
}

fn id(kind: Kind) -> &'static str {
    match kind {
        Kind::Consumer => "jack",
        Kind::PluginMetadata => "cors",
        _ => "hello",
    }
}

fn example(kind: Kind) -> Value {
    let upstream = json!({ "nodes": { "127.0.0.1:1980": 1 } });
    match kind {
        Kind::Route => json!({ "uri": "/hello", "upstream": upstream }),
        Kind::Upstream => upstream,
        Kind::Service => json!({ "upstream": upstream }),
        Kind::PluginConfig => json!({ "plugins": { "cors": {} } }),
        Kind::GlobalRule => json!({ "plugins": { "prometheus": {} } }),
        Kind::Ssl => json!({ "snis": ["www.example.com"], "cert": PAIR, "key": PAIR }),
        Kind::StreamRoute => {
            json!({ "server_port": 9100, "gateways": ["hello"], "upstream": upstream })
        }
        Kind::Gateway => json!({ "listeners": [
            { "name": "http", "address": "0.0.0.0", "port": 9080, "protocol": "http" },
            { "name": "tcp", "address": "0.0.0.0", "port": 9100, "protocol": "tcp" },
        ] }),
        Kind::Consumer => {
            json!({ "username": "jack", "plugins": { "key-auth": { "key": "a-key-of-jacks" } } })
        }
        Kind::Credential => json!({ "plugins": { "key-auth": { "key": "another-key-of-jacks" } } }),
        Kind::ConsumerGroup => json!({ "plugins": {} }),
        Kind::PluginMetadata => json!({ "allow_origins": { "shop": "https://shop.example.com" } }),
        Kind::Proto => json!({ "content": PROTO }),
        Kind::Secret => {
            json!({ "uri": "http://127.0.0.1:8200", "prefix": "kv/apisix", "token": "a-token-of-vaults" })
        }
    }
}
