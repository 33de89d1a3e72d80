//! OpenAPI descriptions: what an API's owner says it offers.
//!
//! In: OpenAPI 2.0 (Swagger), 3.0, 3.1 and 3.2, in JSON or YAML. Out: a [`Description`] with every operation, its
//! template, servers, parameters and effective security; and a [`Catalogue`] of many descriptions, which finds the
//! operation of a request.
//!
//! Refused, with the place, what is wrong and the mend ([`OpenApiError`]): what is no JSON or YAML, what breaks the
//! specification (`shape`), and what goes past the bounds of `document`: 32 MiB of text, a million nodes after aliases,
//! a depth of 100. References within the document are followed, sixteen deep; other files and addresses are not
//! fetched, an entry of [`Description::notes`] says so. Callbacks and webhooks are requests of the server, not to it,
//! and give no operations.

mod catalogue;
mod document;
mod locate;
mod operations;
mod properties;
mod server;
mod shape;
mod trie;
mod yaml;

pub use catalogue::{Catalogue, Match, Orphan};

use std::path::{Path, PathBuf};

/// Longest text that is read. The largest public descriptions (Microsoft Graph) have about 30 MiB.
pub const MAX_BYTES: usize = 32 << 20;

/// Slips of one description that are told with their place.
const WARNINGS_TOLD: usize = 3;

/// One description file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    pub title: String,
    /// Of the specification it is written to: `2.0`, `3.0.1`, ...
    pub version: String,
    /// Where the API is offered; a server with variables stands here once with its defaults and once as a template.
    pub servers: Vec<Server>,
    pub operations: Vec<Operation>,
    pub file: PathBuf,
    /// What was left out and why, for people: references to other files.
    pub notes: Vec<String>,
    /// Slips that a tolerant reading passed over, each with file, place and mend.
    pub warnings: Vec<String>,
}

/// Where an API is offered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Server {
    /// Lower case, without port; may hold templates (`{region}.example.com`). `None` where the description leaves it to
    /// where it was fetched from.
    pub host: Option<String>,
    /// Empty or `/v1`: no slash at its end.
    pub base_path: String,
}

/// One method of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Upper case.
    pub method: String,
    /// The template as it is written, without the base path of a server.
    pub path: String,
    pub operation_id: Option<String>,
    pub deprecated: bool,
    /// Whether every alternative of the effective security asks for something that shows in the request (a client
    /// certificate does not).
    pub requires_credentials: bool,
    /// The effective security: alternatives, each a list of scheme names that are needed together.
    pub security: Vec<Vec<String>>,
    /// Location (`path`, `query`, `header`, `cookie`, `body`, `formData`) and name; the path item's included.
    pub parameters: Vec<(String, String)>,
    /// Names of query parameters; `None` where the description leaves them open.
    pub query: Option<Vec<String>>,
    /// Top-level properties of the bodies that it takes; `None` where the description leaves them open.
    pub properties: Option<Vec<String>>,
    /// Status codes, ranges (`4XX`) and `default`.
    pub responses: Vec<String>,
    pub has_body: bool,
    /// Servers of its own (or of its path), which replace the description's; empty where it has none.
    pub servers: Vec<Server>,
}

/// Why a description was refused. The message names the file, the place where there is one, and the mend.
#[derive(Debug, thiserror::Error)]
pub enum OpenApiError {
    #[error("{}: cannot be read: {source}; give the path of a readable OpenAPI file", file.display())]
    Unreadable { file: PathBuf, source: std::io::Error },
    #[error("{}: more than {limit} bytes; split the description, or leave out its examples", file.display())]
    TooLarge { file: PathBuf, limit: usize },
    #[error("{file}:{line}:{column}: not valid {format}: {what}; correct it, or check it with a linter")]
    Syntax { file: String, line: usize, column: usize, format: &'static str, what: String },
    #[error("{file}:{line}:{column}: {what}; write it without so much nesting or aliasing")]
    Limit { file: String, line: usize, column: usize, what: String },
    #[error("{file}: {what}; an OpenAPI description starts with `openapi: 3.x.y` or `swagger: \"2.0\"`")]
    NotOpenApi { file: String, what: String },
    #[error("{}: {fault}", located(file, place))]
    Fault { file: String, place: Option<(usize, usize)>, fault: Fault },
}

fn located(file: &str, place: &Option<(usize, usize)>) -> String {
    match place {
        Some((line, column)) => format!("{file}:{line}:{column}"),
        None => file.to_owned(),
    }
}

/// A place where a document breaks the specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Keys from the top of the document.
    pub path: Vec<String>,
    /// What is wrong there, as a sentence whose subject is the place: `is missing`.
    pub what: String,
    pub mend: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = if self.path.is_empty() { "the document".to_owned() } else { self.path.join(".") };
        write!(f, "`{}` {}; {}", escaped(&path), escaped(&self.what), self.mend)
    }
}

/// Text of a description may hold control characters, which must not reach a terminal.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if c.is_control() {
            out.extend(c.escape_default())
        } else {
            out.push(c)
        }
        out
    })
}

/// How a document that breaks the specification is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strictness {
    /// Any fault refuses it.
    Strict,
    /// What a sensor can do without is warned of.
    Tolerant,
}

/// Reads a description; any fault refuses it.
pub fn load(path: &Path) -> Result<Description, OpenApiError> {
    load_with(path, Strictness::Strict)
}

/// Reads a description; a fault that makes it no less useful, such as a path parameter that is not declared, becomes one
/// of its [`Description::warnings`].
pub fn load_tolerant(path: &Path) -> Result<Description, OpenApiError> {
    load_with(path, Strictness::Tolerant)
}

fn load_with(path: &Path, strictness: Strictness) -> Result<Description, OpenApiError> {
    use std::io::Read;
    let unreadable = |source| OpenApiError::Unreadable { file: path.to_owned(), source };
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut text).map_err(unreadable)?;
    let mut description = parse_with(&text, &path.display().to_string(), strictness)?;
    description.file = path.to_owned();
    Ok(description)
}

/// Reads a description from text; `name` is what messages call it, and its ending helps to tell JSON from YAML.
pub fn parse(text: &[u8], name: &str) -> Result<Description, OpenApiError> {
    parse_with(text, name, Strictness::Strict)
}

fn parse_with(text: &[u8], name: &str, strictness: Strictness) -> Result<Description, OpenApiError> {
    if text.len() > MAX_BYTES {
        return Err(OpenApiError::TooLarge { file: PathBuf::from(name), limit: MAX_BYTES });
    }
    let document = document::read(text, name)?;
    let version = operations::version_of(&document.root)
        .map_err(|what| OpenApiError::NotOpenApi { file: name.to_owned(), what })?;
    let mut faults = shape::faults(&document.root, version.edition);
    let (mut description, slips) = operations::describe(&document.root, &version, &mut faults);
    description.file = PathBuf::from(name);
    let refusing = faults.into_iter().chain(slips.iter().filter(|_| strictness == Strictness::Strict).cloned()).next();
    if let Some(fault) = refusing {
        let place = locate::place_of(&document, &fault.path);
        return Err(OpenApiError::Fault { file: name.to_owned(), place, fault });
    }
    // Each place is looked up by reading the text again: of many slips only the first are told in full.
    for slip in slips.iter().take(WARNINGS_TOLD) {
        let place = locate::place_of(&document, &slip.path);
        description.warnings.push(format!("{}: {slip}", located(name, &place)));
    }
    if slips.len() > WARNINGS_TOLD {
        let more = if slips.len() == operations::MAX_FAULTS { "or more" } else { "more" };
        description.warnings.push(format!("{name}: {} {more} of the kind", slips.len() - WARNINGS_TOLD));
    }
    Ok(description)
}

#[cfg(test)]
mod tests;
