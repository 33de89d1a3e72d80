//! A document's operations: path items walked, references followed, what is inherited filled in.
//!
//! Works on any tree: what has the wrong type is skipped here, because [`super::shape`] has reported it. What only shows
//! on following references (a reference to nothing) is added to the faults.

use super::properties::{self, Properties};
use super::{Description, Fault, Operation, server};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// References that lead to references. Two is usual, four is generous.
pub const MAX_REFERENCE_DEPTH: usize = 16;
/// Faults of one document that are kept; the first is shown.
pub const MAX_FAULTS: usize = 32;
/// Notes of one document that are kept.
const MAX_NOTES: usize = 64;
/// Operations of one document. The largest public description (Microsoft Graph) has some twenty thousand.
const MAX_OPERATIONS: usize = 65_536;
/// Parameters of one operation that are listed.
const MAX_PARAMETERS: usize = 256;
/// Steps of the walk: a parameter, a response, sixteen bytes of a reference. Every path may refer to the same huge path
/// item, so what the walk gives is not bounded by the size of the document.
const MAX_STEPS: usize = 1_000_000;

/// What the document says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub text: String,
    pub edition: Edition,
}

/// The editions of the specification that differ in what they allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edition {
    V2,
    V30,
    V31,
    V32,
}

/// The version of the specification a document is written to, or why it is no OpenAPI document.
pub fn version_of(root: &Value) -> Result<Version, String> {
    let Some(root) = root.as_object() else {
        return Err("the document is not an object".to_owned());
    };
    let text = match root.get("openapi").or_else(|| root.get("swagger")) {
        Some(Value::String(text)) => text.clone(),
        // `swagger: 2.0` without quotes is a number in YAML, and frequent.
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err("the version of OpenAPI is not text".to_owned()),
        None => return Err("neither `openapi` nor `swagger` at the top".to_owned()),
    };
    let is =
        |prefix: &str| text.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']));
    let edition = match () {
        () if root.contains_key("openapi") && is("3.0") => Edition::V30,
        () if root.contains_key("openapi") && is("3.1") => Edition::V31,
        () if root.contains_key("openapi") && is("3.2") => Edition::V32,
        () if !root.contains_key("openapi") && text == "2.0" => Edition::V2,
        () => return Err(format!("version `{}` is not one of 2.0, 3.0, 3.1 and 3.2", text.escape_debug())),
    };
    Ok(Version { text, edition })
}

/// The description, and the slips: faults that a sensor can do without, such as a path parameter that is not declared.
/// What makes the description useless is added to `faults`.
pub fn describe(root: &Value, version: &Version, faults: &mut Vec<Fault>) -> (Description, Vec<Fault>) {
    let mut walk = Walk {
        root,
        edition: version.edition,
        faults,
        slips: Vec::new(),
        notes: Vec::new(),
        steps: MAX_STEPS,
        properties: Properties::new(root),
        keys: keys_in_query(root),
    };
    let info = root.get("info");
    let servers = match version.edition {
        Edition::V2 => vec![server::of_swagger(root)],
        _ => server::of_list(root.get("servers")),
    };
    let nowhere = super::Server { host: None, base_path: String::new() };
    let mut operations = walk.operations();
    leave_open(&mut operations, &walk.keys);
    let description = Description {
        title: info.and_then(|info| info.get("title")).and_then(Value::as_str).unwrap_or_default().to_owned(),
        version: version.text.clone(),
        servers: if servers.is_empty() { vec![nowhere] } else { servers },
        operations,
        file: Default::default(),
        notes: walk.notes,
        warnings: Vec::new(),
    };
    (description, walk.slips)
}

struct Walk<'a> {
    root: &'a Value,
    edition: Edition,
    faults: &'a mut Vec<Fault>,
    slips: Vec<Fault>,
    notes: Vec<String>,
    steps: usize,
    properties: Properties<'a>,
    /// Query parameters that carry a key: every operation takes them.
    keys: Vec<String>,
}

/// A path item: what it says itself goes before what it refers to.
struct PathItem<'a> {
    own: &'a Map<String, Value>,
    target: Option<&'a Map<String, Value>>,
}

impl<'a> PathItem<'a> {
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.own.get(key).or_else(|| self.target.and_then(|target| target.get(key)))
    }
}

/// Where the walk is: keys from the top.
type Place<'a> = [&'a str];

fn fault_at(place: &Place<'_>, what: String, mend: &str) -> Fault {
    Fault { path: place.iter().map(|key| (*key).to_owned()).collect(), what, mend: mend.to_owned() }
}

impl<'a> Walk<'a> {
    fn fault(&mut self, place: &Place<'_>, what: impl Into<String>, mend: &str) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault_at(place, what.into(), mend));
        }
    }

    fn slip(&mut self, place: &Place<'_>, what: String, mend: &str) {
        if self.slips.len() < MAX_FAULTS {
            self.slips.push(fault_at(place, what, mend));
        }
    }

    fn note(&mut self, note: String) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(super::escaped(&note));
        }
    }

    /// Takes steps; false, with a fault, when none are left.
    fn spend(&mut self, steps: usize, place: &Place<'_>) -> bool {
        let is_first = self.steps > 0;
        self.steps = self.steps.saturating_sub(steps);
        if self.steps == 0 && is_first {
            let what = format!("makes the document unfold to more than {MAX_STEPS} parts");
            self.fault(place, what, "write what it refers to smaller, or split the description");
        }
        self.steps > 0
    }

    fn operations(&mut self) -> Vec<Operation> {
        let mut operations = Vec::new();
        let root = self.root;
        let Some(paths) = root.get("paths").and_then(Value::as_object) else { return operations };
        for (path, item) in paths.iter().filter(|(path, _)| path.starts_with('/')) {
            let place = ["paths", path.as_str()];
            let Some(item) = self.path_item(item, &place) else { continue };
            self.check_template(path, &place);
            for (method, key, operation) in methods_of(&item, self.edition) {
                let place: Vec<&str> = place.iter().copied().chain(key).collect();
                if operations.len() == MAX_OPERATIONS {
                    self.fault(&place, format!("is one of more than {MAX_OPERATIONS}"), "split the description");
                    return operations;
                }
                if !self.spend(1 + path.len() / 16, &place) {
                    return operations;
                }
                operations.push(self.operation(method, path, &item, operation, &place));
            }
        }
        operations
    }

    /// A path item with its reference followed.
    fn path_item(&mut self, item: &'a Value, place: &Place<'_>) -> Option<PathItem<'a>> {
        let own = item.as_object()?;
        let target = if own.contains_key("$ref") { Some(self.followed(item, place)?.as_object()?) } else { None };
        Some(PathItem { own, target })
    }

    /// What a value refers to, itself where it is no reference. `None`, with a note or a fault, where that is not here.
    fn followed(&mut self, value: &Value, place: &Place<'_>) -> Option<&'a Value> {
        let mut reference = value.get("$ref")?.as_str()?.to_owned();
        for _ in 0..MAX_REFERENCE_DEPTH {
            if !self.spend(1 + reference.len() / 16, place) {
                return None;
            }
            let Some(pointer) = reference.strip_prefix('#') else {
                self.note(format!("`{}`: `{reference}` lies in another file and was not read", place.join(".")));
                return None;
            };
            let Some(target) = self.root.pointer(&decoded(pointer)) else {
                let mend = "correct the reference, or add what it refers to";
                self.fault(place, format!("refers to `{reference}`, which is not in the document"), mend);
                return None;
            };
            match target.get("$ref").and_then(Value::as_str) {
                Some(next) => reference = next.to_owned(),
                None => return Some(target),
            }
        }
        let what = format!("is a chain of more than {MAX_REFERENCE_DEPTH} references");
        self.fault(place, what, "refer to the object itself; the references may go in a circle");
        None
    }

    fn operation(
        &mut self,
        method: &str,
        path: &str,
        item: &PathItem<'a>,
        operation: &'a Value,
        place: &Place<'_>,
    ) -> Operation {
        let mut parameters = self.parameters(item.get("parameters"), place);
        for parameter in self.parameters(operation.get("parameters"), place) {
            if !parameters.contains(&parameter) {
                parameters.push(parameter);
            }
        }
        parameters.sort();
        self.check_path_parameters(path, &parameters, place);
        let query = self.query_of(&parameters, item, operation);
        let properties = self.properties_of(&parameters, item, operation);
        parameters.retain(|(location, _)| location != UNKNOWN);
        let security = security_of(operation.get("security").or_else(|| self.root.get("security")));
        let is_form = |(location, _): &(String, String)| matches!(location.as_str(), "body" | "formData");
        let has_body = operation.get("requestBody").is_some_and(Value::is_object) || parameters.iter().any(is_form);
        let own_servers = server::of_list(operation.get("servers"));
        let responses = operation.get("responses").and_then(Value::as_object);
        self.spend(responses.map_or(0, Map::len) + security.iter().map(Vec::len).sum::<usize>(), place);
        Operation {
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            operation_id: operation.get("operationId").and_then(Value::as_str).map(str::to_owned),
            deprecated: operation.get("deprecated").and_then(Value::as_bool).unwrap_or(false),
            requires_credentials: self.requires_credentials(&security),
            security,
            parameters,
            responses: responses.into_iter().flat_map(Map::keys).filter(|k| !k.starts_with("x-")).cloned().collect(),
            has_body,
            query,
            properties,
            servers: if own_servers.is_empty() { server::of_list(item.get("servers")) } else { own_servers },
        }
    }

    /// Names of the query parameters, where all of them are known.
    fn query_of(
        &mut self,
        parameters: &[(String, String)],
        item: &PathItem<'a>,
        operation: &'a Value,
    ) -> Option<Vec<String>> {
        if parameters.iter().any(|(location, _)| location == UNKNOWN) {
            return None;
        }
        for entry in listed(item, operation) {
            let parameter = self.properties.followed(entry)?;
            let schema = parameter.get("schema").and_then(|schema| self.properties.followed(schema));
            if properties::is_free(parameter, schema) {
                return None;
            }
        }
        let names = parameters.iter().filter(|(location, _)| location == "query").map(|(_, name)| name.clone());
        Some(names.chain(self.keys.iter().cloned()).collect())
    }

    /// Names of the top-level properties of the bodies that an operation takes, where it declares any.
    fn properties_of(
        &mut self,
        parameters: &[(String, String)],
        item: &PathItem<'a>,
        operation: &'a Value,
    ) -> Option<Vec<String>> {
        if let Some(body) = operation.get("requestBody") {
            return Some(self.properties.of_request_body(body)?.into_iter().collect());
        }
        if parameters.iter().any(|(location, _)| location == UNKNOWN) {
            return None;
        }
        let is_form = |(location, _): &&(String, String)| location == "formData";
        let form: Vec<String> = parameters.iter().filter(is_form).map(|(_, name)| name.clone()).collect();
        if !form.is_empty() {
            return Some(form);
        }
        let mut bodies = listed(item, operation).filter_map(|entry| {
            let parameter = self.properties.followed(entry)?;
            (parameter.get("in")? == "body").then(|| parameter.get("schema")).flatten()
        });
        let schema = bodies.next()?;
        drop(bodies);
        Some(self.properties.of_schema(schema)?.into_iter().collect())
    }

    fn parameters(&mut self, list: Option<&Value>, place: &Place<'_>) -> Vec<(String, String)> {
        let mut parameters = Vec::new();
        for (at, entry) in list.and_then(Value::as_array).into_iter().flatten().enumerate() {
            if at == MAX_PARAMETERS || !self.spend(1, place) {
                self.note(format!("`{}`: parameters after the first {at} are not listed", place.join(".")));
                parameters.push((UNKNOWN.to_owned(), String::new()));
                break;
            }
            let at = at.to_string();
            let place: Vec<&str> = place.iter().copied().chain(["parameters", at.as_str()]).collect();
            let found = if entry.get("$ref").is_some() { self.followed(entry, &place) } else { Some(entry) };
            let text = |key| found.and_then(|parameter: &Value| parameter.get(key)).and_then(Value::as_str);
            match (text("in"), text("name")) {
                (Some(location), Some(name)) => parameters.push((location.to_owned(), name.to_owned())),
                // It lies elsewhere: the set is not complete, which must not become a fault.
                _ if entry.get("$ref").is_some() => parameters.push((UNKNOWN.to_owned(), String::new())),
                _ => {}
            }
        }
        parameters
    }

    /// Every template expression of a path must be declared (3.0.4 §4.8.8.1, 2.0 "Path Templating"). Many
    /// descriptions forget one, and the template says all that a sensor needs.
    fn check_path_parameters(&mut self, path: &str, parameters: &[(String, String)], place: &Place<'_>) {
        if parameters.iter().any(|(location, _)| location == UNKNOWN) {
            return;
        }
        for name in expressions(path) {
            if !self.spend(1 + parameters.len() / 16, place) {
                return;
            }
            let bare = name.trim_start_matches(['+', '#', '.', '/', ';', '?', '&']).trim_end_matches(['*', '+']);
            if !parameters
                .iter()
                .any(|(location, declared)| location == "path" && (declared == name || declared == bare))
            {
                let what = format!("declares no path parameter `{name}`, which its path has");
                self.slip(place, what, "add it to `parameters` with `in: path` and `required: true`");
            }
        }
    }

    fn check_template(&mut self, path: &str, place: &Place<'_>) {
        let mut seen = BTreeSet::new();
        for name in expressions(path) {
            if !seen.insert(name) {
                self.fault(place, format!("has the parameter `{name}` twice"), "give each a name of its own");
            }
        }
        if path.matches('{').count() != path.matches('}').count() || path.contains("{}") {
            self.fault(place, "has a brace without its other half, or empty braces", "write parameters as `{name}`");
        }
    }

    /// Whether no alternative is without credentials that show in a request.
    fn requires_credentials(&self, security: &[Vec<String>]) -> bool {
        let schemes = self.root.pointer("/components/securitySchemes");
        let is_mutual_tls = |name: &String| {
            schemes.and_then(|schemes| schemes.get(name)).and_then(|scheme| scheme.get("type")).and_then(Value::as_str)
                == Some("mutualTLS")
        };
        !security.is_empty() && security.iter().all(|all| all.iter().any(|name| !is_mutual_tls(name)))
    }
}

/// The parameters of an operation and of its path, as they stand there.
fn listed<'a>(item: &PathItem<'a>, operation: &'a Value) -> impl Iterator<Item = &'a Value> + use<'a> {
    let lists = [operation.get("parameters"), item.get("parameters")];
    lists.into_iter().flatten().filter_map(Value::as_array).flatten()
}

/// Names of the API keys that go in the query.
fn keys_in_query(root: &Value) -> Vec<String> {
    let schemes = [root.pointer("/components/securitySchemes"), root.get("securityDefinitions")];
    let schemes = schemes.into_iter().flatten().filter_map(Value::as_object).flat_map(Map::values);
    let in_query = schemes.filter(|scheme| scheme.get("in").and_then(Value::as_str) == Some("query"));
    in_query.filter_map(|scheme| Some(scheme.get("name")?.as_str()?.to_owned())).collect()
}

/// A description without a single query parameter does not describe them.
fn leave_open(operations: &mut [Operation], keys: &[String]) {
    let declares_any = |operation: &Operation| operation.query.as_ref().is_some_and(|names| names.len() > keys.len());
    if !operations.iter().any(declares_any) {
        operations.iter_mut().for_each(|operation| operation.query = None);
    }
}

/// Location of a parameter that is not known here, because it lies in another file or past the bound.
const UNKNOWN: &str = "$ref";

/// Method, keys below the path item, and operation.
fn methods_of<'a>(item: &PathItem<'a>, edition: Edition) -> Vec<(&'a str, Vec<&'a str>, &'a Value)> {
    let fixed = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];
    let known = match edition {
        Edition::V2 => 7,
        Edition::V30 | Edition::V31 => 8,
        Edition::V32 => 9,
    };
    let mut methods: Vec<(&'a str, Vec<&'a str>, &'a Value)> = fixed
        .into_iter()
        .take(known)
        .filter_map(|method| Some((method, vec![method], item.get(method).filter(|operation| operation.is_object())?)))
        .collect();
    let more = item.get("additionalOperations").filter(|_| edition == Edition::V32).and_then(Value::as_object);
    for (method, operation) in more.into_iter().flatten().filter(|(_, operation)| operation.is_object()) {
        methods.push((method, vec!["additionalOperations", method], operation));
    }
    methods
}

fn security_of(requirements: Option<&Value>) -> Vec<Vec<String>> {
    let list = requirements.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|requirement| Some(requirement.as_object()?.keys().cloned().collect())).collect()
}

/// The names within the braces of a template.
fn expressions(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name))
}

/// A JSON pointer in a URI fragment is percent-encoded (RFC 6901 §6).
pub(super) fn decoded(pointer: &str) -> String {
    let mut scratch = Vec::new();
    String::from_utf8_lossy(crate::api::url::percent_decode(pointer.as_bytes(), false, &mut scratch)).into_owned()
}
