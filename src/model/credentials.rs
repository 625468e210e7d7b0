//! Which headers, cookies and arguments are taken to carry credentials. What stands in them is shown to nobody.

/// What names of such contain, whatever the case.
const PARTS: [&str; 11] = [
    "auth", "cookie", "cred", "jwt", "key", "pass", "pwd", "secret", "sess", "sign", "token",
];

/// Whether what has this name may carry credentials. A pseudo-header (`:authority`) does not.
pub fn carried_by(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !name.starts_with(':') && PARTS.iter().any(|part| name.contains(part))
}
