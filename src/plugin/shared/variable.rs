//! nginx's variables in a document's texts (`$remote_addr`, `${uri}`), as the command operators that Envoy has for them.
//! A variable without an exact counterpart is refused by name.

use super::identity::CONSUMER;
use crate::model::decode::quoted;

/// A text in pieces.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// As it stands.
    Text(&'a str),
    /// The name of a variable.
    Variable(&'a str),
}

/// Takes a text apart. A `$` that starts no name stands for itself.
pub fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(found) = rest[from..].find('$') {
        let dollar = from + found;
        let after = &rest[dollar + 1..];
        let Some((name, length)) = variable(after) else {
            from = dollar + 1;
            continue;
        };
        if rest[..dollar].ends_with('\\') {
            return Err(format!(
                "found `\\${name}`, allowed: variables without a backslash before them"
            ));
        }
        if dollar > 0 {
            pieces.push(Piece::Text(&rest[..dollar]));
        }
        pieces.push(Piece::Variable(name));
        rest = &after[length..];
        from = 0;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

/// The variable that a text after a `$` starts with, and how much of the text it takes.
fn variable(text: &str) -> Option<(&str, usize)> {
    let word = |text: &str| {
        text.bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
            .count()
    };
    match text.strip_prefix('{') {
        Some(inside) => {
            let length = word(inside);
            let closed = length > 0 && inside[length..].starts_with('}');
            closed.then(|| (&inside[..length], length + 2))
        }
        None => match word(text) {
            0 => None,
            length => Some((&text[..length], length)),
        },
    }
}

/// Whether a text has variables.
pub fn is_among(pieces: &[Piece<'_>]) -> bool {
    pieces
        .iter()
        .any(|piece| matches!(piece, Piece::Variable(_)))
}

/// The pieces as one of Envoy's format strings: texts as `written` has them there, variables as their operators.
pub fn format(pieces: &[Piece<'_>], written: impl Fn(&str) -> String) -> Result<String, String> {
    format_by(pieces, &operator, written)
}

/// What makes the command operator of a variable.
pub type Operator<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// The same, with variables that have these operators.
pub fn format_by(
    pieces: &[Piece<'_>],
    operator: Operator,
    written: impl Fn(&str) -> String,
) -> Result<String, String> {
    let parts = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => Ok(literal(&written(text))),
        Piece::Variable(name) => operator(name),
    });
    parts.collect()
}

/// Refuses a text with variables where Envoy takes none.
pub fn none_in(text: &str) -> Result<(), String> {
    for piece in pieces(text)? {
        if let Piece::Variable(name) = piece {
            return Err(format!(
                "found the variable `${name}`, allowed: no variables here"
            ));
        }
    }
    Ok(())
}

/// Texts that stand for themselves in one of Envoy's format strings.
pub fn literal(text: &str) -> String {
    text.replace('%', "%%")
}

/// The command operator of a variable. What is not there is an empty text.
pub fn operator(name: &str) -> Result<String, String> {
    let operator = match name {
        "remote_addr" => "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "remote_port" => "%DOWNSTREAM_REMOTE_PORT%",
        "server_addr" => "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
        "server_port" => "%DOWNSTREAM_LOCAL_PORT%",
        "scheme" => "%REQ(:SCHEME)%",
        "request_method" => "%REQ(:METHOD)%",
        "request_uri" => "%REQ(:PATH)%",
        "uri" => "%PATH(NQ)%",
        "host" | "http_host" => "%REQ(:AUTHORITY)%",
        "route_id" => r"%CEL(re.extract(xds.route_name, '^route/(.*)', '\\1'))%",
        "consumer_name" => return Ok(format!("%REQ({CONSUMER})%")),
        _ => return of_part(name).ok_or_else(|| not_served(name)),
    };
    Ok(operator.to_owned())
}

/// Variables where an answer is at hand.
const OF_ANSWERS: &[(&str, &str)] = &[
    ("balancer_ip", "%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
    ("balancer_port", "%UPSTREAM_REMOTE_PORT%"),
    ("status", "%RESP(:STATUS)%"),
    ("upstream_addr", "%UPSTREAM_REMOTE_ADDRESS%"),
];

/// Variables of a client's TLS, for headers of the request. Without TLS, or without a certificate, they are empty.
const OF_TLS: &[(&str, &str)] = &[
    ("ssl_cipher", "%DOWNSTREAM_TLS_CIPHER%"),
    ("ssl_client_escaped_cert", "%DOWNSTREAM_PEER_CERT%"),
    ("ssl_client_fingerprint", "%DOWNSTREAM_PEER_FINGERPRINT_1%"),
    ("ssl_client_i_dn", "%DOWNSTREAM_PEER_ISSUER%"),
    ("ssl_client_s_dn", "%DOWNSTREAM_PEER_SUBJECT%"),
    (SERIAL, "%DOWNSTREAM_PEER_SERIAL%"),
    ("ssl_protocol", "%DOWNSTREAM_TLS_VERSION%"),
    ("ssl_server_name", "%REQUESTED_SERVER_NAME%"),
];

const SERIAL: &str = "ssl_client_serial";

/// The command operator of a variable where an answer is at hand.
pub fn operator_of_answer(name: &str) -> Result<String, String> {
    operator_beside(OF_ANSWERS, name)
}

/// The command operator of a variable in a header that goes to an instance.
pub fn operator_of_request(name: &str) -> Result<String, String> {
    operator_beside(OF_TLS, name)
}

fn operator_beside(more: &[(&str, &str)], name: &str) -> Result<String, String> {
    match more.iter().find(|(other, _)| *other == name) {
        Some((_, operator)) => Ok((*operator).to_owned()),
        None => operator(name).map_err(|said| {
            let names = more.iter().map(|(name, _)| format!(", ${name}"));
            said + &names.collect::<String>()
        }),
    }
}

/// The command operator of what a pattern of RE2 finds in an attribute of CEL's, as a substitution has it; nothing where it finds
/// nothing.
pub fn extracted(attribute: &str, pattern: &str, substitution: &str) -> String {
    let (pattern, substitution) = (quoted_for_cel(pattern), quoted_for_cel(substitution));
    format!("%CEL(re.extract({attribute}, {pattern}, {substitution}))%")
}

/// A text of CEL's that no `%` of a format string and no end of a line is in.
fn quoted_for_cel(text: &str) -> String {
    let mut quoted = String::from("'");
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str(r"\\"),
            '\'' => quoted.push_str(r"\'"),
            '%' => quoted.push_str(r"\x25"),
            '\0'..='\x1f' | '\x7f' => quoted.push_str(&format!(r"\x{:02x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// One of Envoy's format strings as the text that it stands for, where it has no operators.
pub fn as_written(format: &str) -> Option<String> {
    let text = format.replace("%%", "\0");
    (!text.contains('%')).then(|| text.replace('\0', "%"))
}

/// The command operator of a part of a request that its own name names.
///
/// An argument is as the client wrote it: Envoy's operator for arguments takes `%0d%0a` for the end of a line, also in a header.
fn of_part(name: &str) -> Option<String> {
    let (kind, part) = name.split_once('_').filter(|(_, part)| !part.is_empty())?;
    let extracted = |text: &str, start: &str, end: &str| {
        format!("%CEL(re.extract({text}, '{start}(?i:{part})=([^{end}]*)', '\\\\1'))%")
    };
    match kind {
        "http" => Some(format!("%REQ({})%", part.replace('_', "-"))),
        "arg" => Some(extracted("request.query", "(?:^|&)", "&")),
        "cookie" => Some(extracted("request.headers['cookie']", "(?:^|; *)", ";")),
        _ => None,
    }
}

fn not_served(name: &str) -> String {
    format!(
        "found the variable {}, allowed: $arg_NAME, $consumer_name, $cookie_NAME, $host, $http_NAME, $remote_addr, \
         $remote_port, $request_method, $request_uri, $route_id, $scheme, $server_addr, $server_port, $uri",
        quoted(&format!("${name}"))
    )
}

/// What to know of a text's variables that Envoy does not do exactly.
pub fn warning(pieces: &[Piece<'_>]) -> Option<&'static str> {
    let has = |name| pieces.contains(&Piece::Variable(name));
    if has("host") {
        return Some("`$host` holds the port as well where the client names one");
    }
    has(SERIAL).then_some("`$ssl_client_serial` is in small letters, where nginx has capitals")
}

#[cfg(test)]
mod tests;
