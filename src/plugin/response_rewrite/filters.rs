//! `filters`: texts that are put in the place of others.

use regex_syntax::ast::{Ast, parse::Parser};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::bounds::{List, LongText};
use crate::model::decode::quoted;

/// The most of them, and the most characters of each text.
const MOST: usize = 64;
const LONGEST: usize = 8192;

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "List<Form, MOST>")]
#[schemars(with = "List<Form, MOST>", extend("minItems" = 1))]
pub struct Filters(Vec<Filter>);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// What is looked for: letters that stand for themselves.
    regex: LongText<LONGEST>,
    /// Whether the first is meant alone, or each.
    #[serde(default)]
    scope: Scope,
    /// What stands there instead.
    replace: LongText<LONGEST>,
    /// With an `i`, capitals are not told apart; `j` and `o` concern nginx alone.
    #[serde(default = "options")]
    options: LongText<8>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Scope {
    #[default]
    Once,
    Global,
}

fn options() -> LongText<8> {
    LongText("jo".to_owned())
}

/// As the script reads it.
#[derive(Debug, Serialize)]
struct Filter {
    find: String,
    replace: String,
    once: bool,
    ignores_case: bool,
}

impl TryFrom<List<Form, MOST>> for Filters {
    type Error = String;

    fn try_from(List(forms): List<Form, MOST>) -> Result<Self, String> {
        if forms.is_empty() {
            return Err("found an empty list, allowed: at least one".into());
        }
        let filters = forms.into_iter().map(Filter::try_from);
        filters.collect::<Result<_, _>>().map(Self)
    }
}

impl TryFrom<Form> for Filter {
    type Error = String;

    fn try_from(form: Form) -> Result<Self, String> {
        let LongText(replace) = form.replace;
        if let Some(dollar) = replace.find('$') {
            let found = &replace[dollar..];
            let after = found.chars().nth(1);
            if after.is_some_and(|c| c.is_ascii_digit() || c == '{') {
                return Err(format!(
                    "`replace`: found {}, allowed: no groups",
                    quoted(found)
                ));
            }
        }
        if let Some(option) = form
            .options
            .0
            .chars()
            .find(|c| !matches!(c, 'i' | 'j' | 'o'))
        {
            return Err(format!("`options`: found `{option}`, allowed: i, j, o"));
        }
        let ignores_case = form.options.0.contains('i');
        let find = literal(&form.regex.0).ok_or_else(|| {
            format!(
                "`regex`: found {}, allowed: letters that stand for themselves, as there are no patterns in the Lua of Envoy",
                quoted(&form.regex.0)
            )
        })?;
        let find = if ignores_case {
            find.to_ascii_lowercase()
        } else {
            find
        };
        Ok(Self {
            find,
            replace,
            once: matches!(form.scope, Scope::Once),
            ignores_case,
        })
    }
}

/// The text that a pattern matches alone.
fn literal(pattern: &str) -> Option<String> {
    let letter = |ast: &Ast| match ast {
        Ast::Literal(one) => Some(one.c),
        _ => None,
    };
    match &Parser::new().parse(pattern).ok()? {
        Ast::Concat(all) => all.asts.iter().map(letter).collect(),
        one => letter(one).map(String::from),
    }
}
