//! README.md and docs/ speak of what there is: links lead somewhere, commands, flags, variables, paths, metrics and log lines
//! exist, tables are full, and examples of documents and settings are accepted.
//!
//! What is named is looked for in code only: in `spans` and in fenced blocks. The word behind a block's opening fence says
//! what it holds:
//!
//! * `json document=routes/echo`, `yaml document=…`: a document. The documents of a page are validated together, each as
//!   its place on the page comes, as a reader would write them.
//! * `yaml settings`: a settings file.
//! * `sh`: commands; `console`: commands behind `$ `, and what they print. A block of indented lines is either.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use chancery::config::Settings;
use regex::Regex;

/// How many lines README may have: it is for the first hour.
const README_LINES: usize = 140;

/// A page, and where it stands in the repository.
struct Page {
    path: PathBuf,
    text: String,
}

/// A fenced block, or an indented one.
struct Block {
    line: usize,
    info: String,
    text: String,
}

impl Page {
    fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }

    fn at(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{}: {what}", self.path.display(), line + 1)
    }

    /// Lines outside fenced blocks, and the blocks.
    fn parts(&self) -> (Vec<(usize, &str)>, Vec<Block>) {
        let (mut prose, mut blocks) = (Vec::new(), Vec::new());
        let mut open: Option<(usize, Block)> = None;
        for (line, text) in self.text.lines().enumerate() {
            let indent = text.len() - text.trim_start().len();
            match (&mut open, text.trim_start().strip_prefix("```")) {
                (None, Some(info)) => {
                    let (info, text) = (info.to_owned(), String::new());
                    open = Some((indent, Block { line, info, text }));
                }
                (Some(_), Some(_)) => blocks.extend(open.take().map(|(_, block)| block)),
                (Some((fence, block)), None) => {
                    block
                        .text
                        .push_str(text.get((*fence).min(indent)..).unwrap_or_default());
                    block.text.push('\n');
                }
                (None, None) => match text.strip_prefix("    ") {
                    Some(code) => blocks.push(Block {
                        line,
                        info: "sh".into(),
                        text: format!("{}\n", code.trim_start_matches("$ ")),
                    }),
                    None => prose.push((line, text)),
                },
            }
        }
        if let Some((_, block)) = open {
            panic!("{}", self.at(block.line, "this block has no end"));
        }
        (prose, blocks)
    }

    /// What stands in `spans`, in blocks, and each command of it, with the line that it begins at.
    fn code(&self) -> Vec<(usize, String)> {
        let (prose, blocks) = self.parts();
        let span = Regex::new("`([^`]+)`").unwrap();
        let mut code = Vec::new();
        for (line, text) in prose {
            let spans = span.captures_iter(text);
            code.extend(spans.map(|found| (line, found[1].to_owned())));
        }
        for block in blocks {
            code.push((block.line, block.text));
        }
        code
    }

    /// The commands: spans, and the lines of blocks of commands, those that `\` continues as one.
    fn commands(&self) -> Vec<(usize, String)> {
        let (prose, blocks) = self.parts();
        let span = Regex::new("`([^`]+)`").unwrap();
        let mut commands = Vec::new();
        for (line, text) in prose {
            let spans = span.captures_iter(text);
            commands.extend(spans.map(|found| (line, found[1].to_owned())));
        }
        for block in blocks {
            let whole = block.text.replace("\\\n", " ");
            let lines = whole.lines().map(str::trim_start);
            let lines: Vec<&str> = match block.info.as_str() {
                "sh" | "bash" => lines.collect(),
                "console" => lines.filter_map(|line| line.strip_prefix("$ ")).collect(),
                "ini" => lines
                    .filter_map(|line| line.strip_prefix("ExecStart="))
                    .collect(),
                _ => Vec::new(),
            };
            commands.extend(lines.into_iter().map(|line| (block.line, line.to_owned())));
        }
        commands
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The files below a folder, with this extension.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn pages() -> Vec<Page> {
    let mut paths = files("docs", "md");
    paths.insert(0, root().join("README.md"));
    let pages = paths.into_iter().map(|path| Page {
        text: fs::read_to_string(&path).unwrap(),
        path: path.strip_prefix(root()).unwrap().to_owned(),
    });
    pages.collect()
}

/// What a check finds on a page.
type Check = fn(&Page) -> Vec<String>;

/// Fails with everything that a check finds on any page, and when it does not find what is wrong with `example`.
fn holds(check: Check, example: &str) {
    let seen = check(&Page::new("docs/example.md", example));
    assert!(
        !seen.is_empty(),
        "the check finds nothing wrong with: {example}"
    );
    let found: Vec<_> = pages().iter().flat_map(check).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The anchors of a page, as GitHub makes them of headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let page = Page::new("", text);
    let (prose, _) = page.parts();
    let headings = prose.into_iter().filter(|(_, line)| line.starts_with('#'));
    let anchors = headings.map(|(_, line)| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().replace(' ', "-")
    });
    anchors.collect()
}

/// `docs/how-to/../x` as `docs/x`.
fn tidied(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                tidy.pop();
            }
            part => tidy.push(part),
        }
    }
    tidy
}

/// The links of a page to files of the repository: line, file, anchor.
fn links(page: &Page) -> Vec<(usize, PathBuf, Option<String>)> {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let span = Regex::new("`[^`]*`").unwrap();
    let (prose, _) = page.parts();
    let mut links = Vec::new();
    for (line, text) in prose {
        // A span may hold brackets; the text of a link may be a span.
        let text = span.replace_all(text, "code");
        for found in link.captures_iter(&text) {
            if found[1].contains("://") {
                continue;
            }
            let (file, anchor) = found[1].split_once('#').unwrap_or((&found[1], ""));
            let file = match file {
                "" => page.path.clone(),
                file => tidied(&page.path.parent().unwrap().join(file)),
            };
            let anchor = (!anchor.is_empty()).then(|| anchor.to_owned());
            links.push((line, file, anchor));
        }
    }
    links
}

fn broken_links(page: &Page) -> Vec<String> {
    let mut wrong = Vec::new();
    for (line, file, anchor) in links(page) {
        let target = root().join(&file);
        if !target.exists() {
            wrong.push(page.at(line, format!("there is no {}", file.display())));
        } else if let Some(anchor) = anchor {
            let text = fs::read_to_string(&target).unwrap_or_default();
            if !anchors(&text).contains(&anchor) {
                wrong.push(page.at(line, format!("{} has no #{anchor}", file.display())));
            }
        }
    }
    wrong
}

#[test]
fn links_lead_somewhere() {
    holds(broken_links, "[x](nowhere.md)");
    holds(broken_links, "[x](../README.md#no-such-heading)");
}

#[test]
fn every_page_can_be_reached_from_the_map() {
    let pages = pages();
    let mut reached: BTreeSet<PathBuf> = BTreeSet::from(["README.md".into()]);
    loop {
        let known = pages.iter().filter(|page| reached.contains(&page.path));
        let next: Vec<_> = known.flat_map(links).map(|(_, file, _)| file).collect();
        let before = reached.len();
        // A link to a folder is one to what it shows.
        reached.extend(next.iter().map(|file| file.join("README.md")));
        reached.extend(next);
        if reached.len() == before {
            break;
        }
    }
    let lost: Vec<_> = pages.iter().map(|page| &page.path).collect();
    let lost: Vec<_> = lost
        .into_iter()
        .filter(|path| !reached.contains(*path))
        .collect();
    assert!(lost.is_empty(), "no link leads to {lost:?}");
}

/// What each command's help says.
fn help() -> &'static BTreeMap<String, String> {
    static HELP: std::sync::OnceLock<BTreeMap<String, String>> = std::sync::OnceLock::new();
    HELP.get_or_init(|| {
        let overview = chancery(&["--help"]);
        let command = Regex::new(r"(?m)^  ([a-z]+)  ").unwrap();
        let (_, commands) = overview.split_once("Commands:").unwrap();
        let commands = command
            .captures_iter(commands)
            .map(|found| found[1].to_owned());
        let commands = commands.filter(|command| command != "help");
        let help = commands.map(|command| (command.clone(), chancery(&[&command, "--help"])));
        help.collect()
    })
}

/// The program, without settings of whoever runs the tests.
fn binary() -> Command {
    let mut binary = Command::new(env!("CARGO_BIN_EXE_chancery"));
    binary.env_clear();
    binary
}

fn chancery(arguments: &[&str]) -> String {
    let output = binary().args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "chancery {arguments:?}: {output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Whether a help text declares a flag: an example at its end does not.
fn declares(help: &str, flag: &str) -> bool {
    let flags = help.split("\nExample").next().unwrap();
    flags.lines().any(|line| {
        let Some(line) = line.strip_prefix(' ').map(str::trim_start) else {
            return false;
        };
        let long = match line.split_once(", ") {
            Some((short, long)) if short.len() == 2 && short.starts_with('-') => long,
            _ => line,
        };
        let rest = long.strip_prefix(flag);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '=', '[']))
    })
}

/// Commands and flags that `chancery` does not have.
fn unknown_commands(page: &Page) -> Vec<String> {
    let call = Regex::new(r"(?:^|[\s(/])chancery((?: +[^\s|;&#)]+)*)").unwrap();
    let word = Regex::new(r"^[a-z]+$").unwrap();
    let flag = Regex::new(r"^(--[a-z][a-z-]*)").unwrap();
    let mut wrong = Vec::new();
    for (line, text) in page.commands() {
        if flag.is_match(&text) {
            // A flag alone is one of Chancery's.
            for flag in text.split_whitespace().filter_map(|word| flag.find(word)) {
                if !help().values().any(|help| declares(help, flag.as_str())) {
                    wrong.push(page.at(line, format!("no command has {}", flag.as_str())));
                }
            }
        }
        for call in call.captures_iter(&text) {
            let mut words = call[1].split_whitespace();
            let Some(command) = words.next().filter(|first| word.is_match(first)) else {
                continue;
            };
            let Some(help) = help().get(command) else {
                wrong.push(page.at(line, format!("there is no `chancery {command}`")));
                continue;
            };
            for flag in words.filter_map(|word| flag.find(word)) {
                if !declares(help, flag.as_str()) {
                    wrong.push(page.at(
                        line,
                        format!("`chancery {command}` has no {}", flag.as_str()),
                    ));
                }
            }
        }
    }
    wrong
}

#[test]
fn commands_and_flags_exist() {
    holds(unknown_commands, "`chancery confirm`");
    holds(
        unknown_commands,
        "```sh\nid=$(chancery drain 10.0.0.7 \\\n    --quickly)\n```",
    );
    holds(unknown_commands, "`--no-such-flag`");
}

fn unknown_variables(page: &Page) -> Vec<String> {
    let variable = Regex::new(r"CHANCERY_[A-Z_]+").unwrap();
    let known = |name: &str| {
        help().values().any(|help| {
            help.contains(&format!("[env: {name}=")) || help.contains(&format!("[env: {name}]"))
        })
    };
    let lines = page.text.lines().enumerate();
    let found = lines.flat_map(|(line, text)| {
        variable
            .find_iter(text)
            .map(move |name| (line, name.as_str()))
    });
    let wrong = found.filter(|(_, name)| *name != "CHANCERY_" && !known(name));
    wrong
        .map(|(line, name)| page.at(line, format!("no command reads {name}")))
        .collect()
}

#[test]
fn variables_exist() {
    holds(unknown_variables, "`CHANCERY_NOTHING=1 chancery serve`");
}

fn unknown_paths(page: &Page) -> Vec<String> {
    let contract = read("proto/chancery/v1/control.proto");
    let declared = Regex::new(r"// (?:GET|POST|DELETE) (/v1/[a-z{}/]+)").unwrap();
    // A part in braces stands for anything, and so does a shell's variable for a part.
    let known = declared.captures_iter(&contract).map(|found| {
        let part = Regex::new(r"\\\{[a-z]+\\\}").unwrap();
        let pattern = regex::escape(&found[1]);
        Regex::new(&format!("^{}$", part.replace_all(&pattern, "[^/]+"))).unwrap()
    });
    let known: Vec<_> = known.collect();
    let path = Regex::new(r"(?:^|[^a-z])(/v1/[\w{}$/-]+)").unwrap();
    let lines = page.text.lines().enumerate();
    let found = lines.flat_map(|(line, text)| {
        path.captures_iter(text)
            .map(move |found| (line, found[1].to_owned()))
    });
    let wrong = found.filter(|(_, path)| !known.iter().any(|known| known.is_match(path)));
    wrong
        .map(|(line, path)| page.at(line, format!("the control API has no {path}")))
        .collect()
}

#[test]
fn paths_of_the_control_api_exist() {
    holds(unknown_paths, "`GET /v1/gateways`");
    holds(unknown_paths, "curl http://127.0.0.1:9180/v1/drains/1/2");
}

fn unknown_metrics(page: &Page) -> Vec<String> {
    let sources = files("src/telemetry", "rs")
        .into_iter()
        .map(|file| fs::read_to_string(file).unwrap());
    let sources: String = sources.collect();
    let metric = Regex::new(r"chancery_([a-z_]+)").unwrap();
    let known = |name: &str| {
        let ends = ["", "_total", "_bucket", "_sum", "_count"];
        let names = ends.iter().filter_map(|end| name.strip_suffix(end));
        names
            .into_iter()
            .any(|name| sources.contains(&format!("\"{name}\"")))
    };
    let mut wrong = Vec::new();
    for (line, text) in page.code() {
        for found in metric
            .captures_iter(&text)
            .filter(|found| !known(&found[1]))
        {
            wrong.push(page.at(line, format!("there is no metric {}", &found[0])));
        }
    }
    wrong
}

#[test]
fn metrics_exist() {
    holds(unknown_metrics, "`chancery_happiness_total{type}`");
}

fn unknown_targets(page: &Page) -> Vec<String> {
    let makefile = read("Makefile");
    let target = Regex::new(r"(?:^|[\s;&])make +([a-z]+)").unwrap();
    let mut wrong = Vec::new();
    for (line, text) in page.commands() {
        for found in target.captures_iter(&text) {
            if !makefile
                .lines()
                .any(|line| line.starts_with(&format!("{}:", &found[1])))
            {
                wrong.push(page.at(line, format!("the Makefile has no {}", &found[1])));
            }
        }
    }
    wrong
}

#[test]
fn targets_of_make_exist() {
    holds(unknown_targets, "`make coffee`");
}

/// The cells of a row. `\|` is no border.
fn cells(row: &str) -> Vec<String> {
    let row = row.trim().replace("\\|", "\u{1}");
    let inner = row.strip_prefix('|').unwrap_or(&row);
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    inner
        .split('|')
        .map(|cell| cell.trim().to_owned())
        .collect()
}

/// Rows with a cell that says nothing, or refers to another, or with other columns than their table's head.
fn poor_rows(page: &Page) -> Vec<String> {
    let (prose, _) = page.parts();
    let mut wrong = Vec::new();
    let mut columns = None;
    for (line, text) in prose {
        if !text.starts_with('|') {
            columns = None;
            continue;
        }
        let cells = cells(text);
        if *columns.get_or_insert(cells.len()) != cells.len() {
            wrong.push(page.at(line, "this row has other columns than the table's head"));
        }
        for cell in cells {
            let says_nothing = ["", "-", "–", "…"].contains(&cell.as_str());
            if says_nothing || cell.to_lowercase().starts_with("as above") {
                wrong.push(page.at(line, format!("a cell that says nothing: {cell:?}")));
            }
        }
    }
    wrong
}

#[test]
fn no_cell_of_a_table_is_empty() {
    holds(poor_rows, "| a | b |\n|---|---|\n| x | |");
    holds(poor_rows, "| a | b |\n|---|---|\n| x | As above; more |");
    holds(poor_rows, "| a | b |\n|---|---|\n| x |");
}

#[test]
fn readme_is_for_the_first_hour() {
    let lines = read("README.md").lines().count();
    assert!(
        lines <= README_LINES,
        "README.md has {lines} lines; {README_LINES} are allowed: the rest belongs to docs/"
    );
}

/// Messages that stand in a table of the page about log lines, and nowhere in the sources.
fn unknown_messages(page: &Page) -> Vec<String> {
    if !page.text.starts_with("# Log lines") {
        return Vec::new();
    }
    let sources = files("src", "rs")
        .into_iter()
        .map(|file| fs::read_to_string(file).unwrap());
    let sources: String = sources.collect();
    let span = Regex::new("`([^`]+)`").unwrap();
    let (prose, _) = page.parts();
    let mut wrong = Vec::new();
    for (line, text) in prose.into_iter().filter(|(_, text)| text.starts_with('|')) {
        let cells = cells(text);
        // The level stands first, where a table has it.
        let level = usize::from(["INFO", "WARN", "ERROR"].contains(&cells[0].as_str()));
        let said = span.captures_iter(&cells[level]);
        for message in said.map(|found| found[1].to_owned()) {
            if !sources.contains(&format!("\"{message}")) {
                wrong.push(page.at(line, format!("nothing logs {message:?}")));
            }
        }
    }
    wrong
}

#[test]
fn messages_of_the_log_exist() {
    holds(
        unknown_messages,
        "# Log lines\n| INFO | `nobody says this` | x |",
    );
}

/// Documents that `chancery validate` rejects, and settings that `chancery serve` refuses.
fn bad_examples(page: &Page) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for block in page.parts().1 {
        let mut words = block.info.split(' ');
        let language = words.next().unwrap_or_default();
        match (words.next(), words.next()) {
            (None, _) => {}
            (Some("settings"), None) => {
                let file = folder.path().join("settings.yaml");
                fs::write(&file, &block.text).unwrap();
                if let Err(error) = Settings::from_file(&file).and_then(Settings::check) {
                    wrong.push(page.at(block.line, error));
                }
            }
            (Some(marked), None) if marked.starts_with("document=") => {
                let key = marked.trim_start_matches("document=");
                let documents = folder.path().join("documents");
                // Only one of both may be there.
                for extension in ["json", "yaml"] {
                    let file = documents.join(format!("{key}.{extension}"));
                    fs::create_dir_all(file.parent().unwrap()).unwrap();
                    if extension == language {
                        fs::write(file, &block.text).unwrap();
                    } else if file.exists() {
                        fs::remove_file(file).unwrap();
                    }
                }
                if let Err(said) = accepted(&documents, key) {
                    wrong.push(page.at(block.line, said));
                }
            }
            _ => wrong.push(page.at(
                block.line,
                format!("nobody knows what `{}` holds", block.info),
            )),
        }
    }
    wrong
}

/// Whether `chancery validate` accepts all documents of a folder, and sees `key` among them.
fn accepted(documents: &Path, key: &str) -> Result<(), String> {
    let validate = binary()
        .arg("validate")
        .arg("-f")
        .arg(documents)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&validate.stdout).into_owned();
    let seen = said
        .lines()
        .any(|line| line.split_whitespace().next() == Some(key));
    if validate.status.success() && seen {
        return Ok(());
    }
    let error = String::from_utf8_lossy(&validate.stderr);
    Err(format!("{key} is not accepted:\n{said}{error}"))
}

#[test]
fn examples_are_accepted() {
    holds(
        bad_examples,
        "```json document=routes/a\n{\"uri\": \"/a\", \"upstream\": {\"nodes\": {\"127.0.0.1:0\": 1}}}\n```",
    );
    holds(bad_examples, "```yaml settings\nexpose: true\n```");
    holds(bad_examples, "```yaml documents=routes/a\n```");
}
