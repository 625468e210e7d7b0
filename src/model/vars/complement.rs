//! Everything but some texts, as a pattern. Envoy inverts tests of headers and cookies, but not of arguments, and its
//! patterns look neither ahead nor behind.

use std::collections::BTreeMap;

/// Texts by their first bytes.
#[derive(Default)]
struct Node {
    ends: bool,
    next: BTreeMap<char, Node>,
}

/// A pattern of all texts but these.
pub(super) fn of(texts: &[String]) -> String {
    let mut root = Node::default();
    for text in texts {
        let mut node = &mut root;
        for letter in text.chars() {
            node = node.next.entry(letter).or_default();
        }
        node.ends = true;
    }
    format!("(?:{})", root.pattern())
}

impl Node {
    /// What may follow here: nothing, if no text ends here; another letter than the texts go on with, and anything; or such a
    /// letter, and what may follow there.
    fn pattern(&self) -> String {
        let mut forms = Vec::new();
        match self.next.len() {
            0 => forms.push(r"\C+".to_owned()),
            _ => {
                let letters: String = self.next.keys().map(|letter| escaped(*letter)).collect();
                forms.push(format!(r"[^{letters}]\C*"));
            }
        }
        for (letter, node) in &self.next {
            let literal = regex_syntax::escape(letter.encode_utf8(&mut [0; 4]));
            forms.push(format!("{literal}(?:{})", node.pattern()));
        }
        if !self.ends {
            forms.push(String::new());
        }
        forms.join("|")
    }
}

/// A letter within a class.
fn escaped(letter: char) -> String {
    match letter {
        '\\' | ']' | '[' | '^' | '-' | '&' | '~' => format!("\\{letter}"),
        letter => letter.to_string(),
    }
}
