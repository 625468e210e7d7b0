//! `README.txt` of the archive: what is in it, and what is not.

use std::fmt::Write;

use super::Bundle;

const WARNING: &str = "\
Secrets are taken out of it: keys and passwords of consumers, private keys, values of headers, passwords and tokens in
settings. Names, addresses, hosts and paths of your proxies, instances and routes are in it. Look before you hand it on.
";

const BESIDE: &str = "\
Of the log there are the last lines alone, as the server keeps no more: where the trouble is older, add those around it.
";

pub fn text(place: &str, time: &str, bundle: &Bundle) -> String {
    let mut text = format!("What chancery collect was told by {place} at {time}.\n\n{WARNING}\n");
    let mut list = |heading: &str, items: &[(String, String)]| {
        if items.is_empty() {
            return;
        }
        let width = items
            .iter()
            .map(|(name, _)| name.len())
            .max()
            .unwrap_or_default();
        let lines = items
            .iter()
            .map(|(name, said)| format!("  {name:width$}  {said}\n"));
        // Writing to a text never fails.
        let _ = writeln!(text, "{heading}\n\n{}", lines.collect::<String>());
    };
    list("In it:", &bundle.there);
    list("Could not be had:", &bundle.missing);
    list("This server has none of:", &bundle.none);
    text + BESIDE
}
