//! Descriptions as a whole: the corpus, what is refused and where, what is bounded, what a look-up finds.

use super::*;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Documents whose origin calls them good and that we refuse.
const GOOD_BUT_REFUSED: [(&str, &str); 13] = [
    ("3.0/pass/server_enum_unknown.yaml", "3.0.0 without `paths`, which 3.0 requires (§4.7.1)"),
    ("3.0/pass/swagger2openapi/fart.openapi.yaml", "an empty file"),
    ("3.0/pass/swagger2openapi/swagger.json", "an empty file"),
    ("3.0/pass/swagger2openapi/test-openapi.json", "an empty file"),
    ("3.0/pass/resolution/twolevel/subdir1/test.yaml", "a fragment that another document refers to"),
    ("json/petstore-separate/common/Error.json", "a fragment that another document refers to"),
    ("json/petstore-separate/spec/NewPet.json", "a fragment that another document refers to"),
    ("json/petstore-separate/spec/Pet.json", "a fragment that another document refers to"),
    ("json/petstore-separate/spec/parameters.json", "a fragment that another document refers to"),
    ("yaml/petstore-separate/common/Error.yaml", "a fragment that another document refers to"),
    ("yaml/petstore-separate/spec/NewPet.yaml", "a fragment that another document refers to"),
    ("yaml/petstore-separate/spec/Pet.yaml", "a fragment that another document refers to"),
    ("yaml/petstore-separate/spec/parameters.yaml", "a fragment that another document refers to"),
];

/// Documents whose origin calls them broken and that we accept.
const BROKEN_BUT_ACCEPTED: [(&str, &str); 3] = [
    (
        "gluecon/example1_from_._Different_components.md.yaml",
        "refers to a web address that gives nothing; we fetch none",
    ),
    ("3.0/fail/missingPathItemRef.yaml", "refers to a file that is not there; other files are not read"),
    ("3.0/fail/schemaProperties.yaml", "refers to a file that is not there; other files are not read"),
];

fn corpus() -> Option<(PathBuf, Vec<Value>)> {
    let Some(corpus) = std::env::var_os("APITAP_CORPUS").map(PathBuf::from) else {
        println!("skipped: APITAP_CORPUS is not set");
        return None;
    };
    let lines = std::fs::read_to_string(corpus.join("openapi/expected.jsonl")).expect("the corpus lists its documents");
    let lines = lines.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    Some((corpus, lines))
}

fn is_listed(list: &[(&str, &str)], file: &str) -> bool {
    list.iter().any(|(ending, _)| file.ends_with(ending))
}

fn texts(value: &Value) -> BTreeSet<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// An operation against what the corpus expects, which lists security as the operation itself has it.
fn assert_like(operation: &Operation, expected: &Value, file: &str) {
    let place = format!("{file}: {} {}", operation.method, operation.path);
    assert_eq!(operation.operation_id.as_deref(), expected["operationId"].as_str(), "{place}");
    let responses: BTreeSet<&str> = operation.responses.iter().map(String::as_str).collect();
    assert_eq!(responses, texts(&expected["responses"]), "{place}");
    // `$ref` stands for a parameter in another file.
    let parameters: BTreeSet<String> = operation.parameters.iter().map(|(at, name)| format!("{at}:{name}")).collect();
    let wanted: BTreeSet<String> =
        texts(&expected["params"]).into_iter().filter(|p| *p != "$ref").map(String::from).collect();
    assert_eq!(parameters, wanted, "{place}");
    assert_eq!(operation.has_body, expected["has_body"].as_bool() == Some(true), "{place}");
    if let Some(security) = expected["security"].as_array() {
        let names =
            |requirement: &Value| requirement.as_object().map(|r| r.keys().cloned().collect()).unwrap_or_default();
        assert_eq!(operation.security, security.iter().map(names).collect::<Vec<Vec<String>>>(), "{place}");
        let is_optional = security.is_empty() || security.iter().any(|r| r.as_object().is_some_and(|r| r.is_empty()));
        assert_eq!(operation.requires_credentials, !is_optional, "{place}");
    }
}

#[test]
fn every_operation_of_the_good_documents_is_found() {
    let Some((corpus, lines)) = corpus() else { return };
    let mut operations = 0;
    for line in lines.iter().filter(|line| line["schema_valid_by_origin"] == true) {
        let file = line["file"].as_str().expect("a name");
        let read = load(&corpus.join(file));
        if is_listed(&GOOD_BUT_REFUSED, file) {
            read.expect_err("listed as an exception, and is none any more");
            continue;
        }
        let description = read.unwrap_or_else(|error| panic!("{error}"));
        let expected = line["expected"]["operations"].as_array().expect("a list");
        assert_eq!(description.operations.len(), expected.len(), "{file}");
        assert_eq!(description.version, line["expected"]["openapi"].as_str().expect("a version"));
        for wanted in expected {
            let is_it = |o: &&Operation| o.method == wanted["method"] && o.path == wanted["path"];
            let found = description.operations.iter().find(is_it).unwrap_or_else(|| panic!("{file}: {wanted}"));
            assert_like(found, wanted, file);
            operations += 1;
        }
        let catalogue = Catalogue::new(vec![description.clone()]);
        for operation in &description.operations {
            let servers = if operation.servers.is_empty() { &description.servers } else { &operation.servers };
            let server = servers.first().expect("a description has a server");
            let host = server.host.as_deref().unwrap_or("any.test");
            let path = format!("{}{}", server.base_path, operation.path).replace(['{', '}'], "");
            let found = catalogue.lookup(&operation.method, host, &path).unwrap_or_else(|| panic!("{file}: {path}"));
            assert_eq!(found.operation.map(|o| &o.path), Some(&operation.path));
        }
    }
    assert!(operations > 100, "the corpus has more operations than {operations}");
}

#[test]
fn the_broken_documents_are_refused_with_the_place() {
    let Some((corpus, lines)) = corpus() else { return };
    for line in lines.iter().filter(|line| line["schema_valid_by_origin"] == false) {
        let file = line["file"].as_str().expect("a name");
        let tolerant = load_tolerant(&corpus.join(file));
        let has_slip_alone = file.ends_with("3.0/fail/missingPathParam2.yaml");
        assert_eq!(tolerant.is_ok(), has_slip_alone || is_listed(&BROKEN_BUT_ACCEPTED, file), "{file}");
        match load(&corpus.join(file)) {
            Ok(_) => assert!(is_listed(&BROKEN_BUT_ACCEPTED, file), "accepted: {file}"),
            Err(error) => {
                assert!(!is_listed(&BROKEN_BUT_ACCEPTED, file), "no exception any more: {file}");
                let message = error.to_string();
                assert!(message.contains(file), "{message}");
                let has_place = matches!(error, OpenApiError::Fault { place: Some(_), .. });
                assert!(has_place || matches!(error, OpenApiError::NotOpenApi { .. }), "{message}");
                println!("{message}");
            }
        }
    }
}

#[test]
fn the_malicious_documents_of_the_corpus_are_bounded() {
    let Some((corpus, lines)) = corpus() else { return };
    for line in lines.iter().filter(|line| line["schema_valid_by_origin"].is_null()) {
        let start = Stopwatch::start();
        let _ = load(&corpus.join(line["file"].as_str().expect("a name")));
        assert!(start.elapsed() < BOUND, "{line}");
    }
}

/// Time that any document may take.
const BOUND: Duration = Duration::from_secs(2);

/// Processor time of this thread, where the system tells it (Linux), so that a busy machine does not fail a test;
/// else time on the wall.
struct Stopwatch {
    start: Instant,
    processor: Option<Duration>,
}

impl Stopwatch {
    fn start() -> Stopwatch {
        Stopwatch { start: Instant::now(), processor: Stopwatch::processor() }
    }

    fn processor() -> Option<Duration> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    }

    fn elapsed(&self) -> Duration {
        let processor = self.processor.zip(Stopwatch::processor()).map(|(before, now)| now.saturating_sub(before));
        processor.unwrap_or_else(|| self.start.elapsed())
    }
}

#[test]
fn documents_made_to_harm_are_refused_in_bounded_time() {
    let laughs: String =
        (1..40).map(|n| format!("l{n}: &l{n} [*l{p}, *l{p}, *l{p}, *l{p}, *l{p}]\n", p = n - 1)).collect();
    let long = "x".repeat(1 << 20);
    for (what, text) in [
        ("aliases of aliases", format!("l0: &l0 [lol]\n{laughs}")),
        ("aliases of a long text", format!("t: &t {long}\nall: [{}x]\n", "*t , ".repeat(10_000))),
        ("an alias within its anchor", "a: &a [*a]\n".to_owned()),
        ("brackets without end", "[".repeat(8 << 20)),
        ("braces without end", "{a: ".repeat(4 << 20)),
        ("YAML brackets without end", format!("a: {}", "[".repeat(8 << 20))),
        ("sequences on one line", "- ".repeat(4 << 20)),
        ("keys on one line", "? ".repeat(4 << 20)),
        ("deep blocks", (0..2000).map(|n| format!("{}a:\n", " ".repeat(n))).collect()),
        ("deep JSON", format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200))),
        ("many values", format!("[{}1]", "1,".repeat(4 << 20))),
        ("many YAML values", format!("a: [{}1]", "1,".repeat(4 << 20))),
        ("an unfinished text", format!("a: \"{}", "x".repeat(16 << 20))),
        ("tags and anchors without a node", "&a !b ".repeat(2 << 20)),
        ("directives", "%TAG !a! b\n".repeat(1 << 20)),
        ("too long", " ".repeat(MAX_BYTES + 1)),
        ("control characters", "\u{1}\u{2}: \u{3}".to_owned()),
    ] {
        let start = Stopwatch::start();
        let error = parse(text.as_bytes(), "harm").expect_err(what);
        let elapsed = start.elapsed();
        println!("{what}: {} ms: {error}", elapsed.as_millis());
        assert!(elapsed < BOUND, "{what} took {elapsed:?}");
    }
}

const HEAD: &str = "openapi: 3.0.3\ninfo: {title: Shop, version: \"1\"}\n";

fn refusal(body: &str) -> String {
    parse(format!("{HEAD}{body}").as_bytes(), "shop.yaml").expect_err("it is broken").to_string()
}

#[test]
fn a_refusal_says_where_what_and_the_mend() {
    for (body, message) in [
        (
            "paths:\n  /pets:\n    get: {summary: x}\n",
            "shop.yaml:5:5: `paths./pets.get.responses` is missing; add it: an operation must have it",
        ),
        ("paths: []\n", "shop.yaml:3:1: `paths` is a list; it must be an object (paths object); write what is meant"),
        ("paths:\n  pets: {}\n", "shop.yaml:4:3: `paths.pets` is no path; a path begins with `/`"),
        (
            "paths:\n  /a:\n    get:\n      responses: {2xx: {description: x}}\n",
            "shop.yaml:6:19: `paths./a.get.responses.2xx` is no status; write a code such as `200`, a range `4XX` or `default`",
        ),
        (
            "paths:\n  /a:\n    $ref: '#/components/x-nothing'\n",
            "shop.yaml:4:3: `paths./a` refers to `#/components/x-nothing`, which is not in the document; \
             correct the reference, or add what it refers to",
        ),
        (
            "paths: {}\npaths: {}\n",
            "shop.yaml:4:1: not valid YAML: the key `paths` stands twice in one mapping; correct it, \
             or check it with a linter",
        ),
    ] {
        assert_eq!(refusal(body), message);
    }
    let json = "{\"openapi\": \"3.0.3\",\n \"info\": {\"title\": \"x\", \"version\": 1}, \"paths\": {}}";
    let message = parse(json.as_bytes(), "a.json").expect_err("the version is a number").to_string();
    assert_eq!(
        message,
        "a.json:2:25: `info.version` is a number; it must be text; write what is meant; text in quotes"
    );
    let message = parse(b"{\"openapi\": \"3.0.3\",}", "a.json").expect_err("a comma too many").to_string();
    assert_eq!(message, "a.json:1:21: not valid JSON: trailing comma; correct it, or check it with a linter");
    let message = parse(b"openapi: 4.0.0\n", "a.yaml").expect_err("no such version").to_string();
    assert!(message.contains("version `4.0.0` is not one of"), "{message}");
    let message = load(Path::new("/nowhere/shop.yaml")).expect_err("no such file").to_string();
    assert!(message.starts_with("/nowhere/shop.yaml: cannot be read: "), "{message}");
    let message = refusal("paths:\n  \"/a\\x1b[2J\": []\n");
    assert!(!message.contains('\u{1b}'), "escaped: {message}");
}

#[test]
fn references_within_the_document_are_followed() {
    let text = format!(
        "{HEAD}security: [{{key: []}}]
paths:
  /pets/{{id}}:
    $ref: '#/components/x-items/pet%20item'
  /other:
    $ref: 'other.yaml#/x'
components:
  parameters:
    id: {{name: id, in: path, required: true, schema: {{type: string}}}}
    alias: {{$ref: '#/components/parameters/id'}}
  x-items:
    pet item:
      parameters: [{{$ref: '#/components/parameters/alias'}}]
      get: {{security: [{{}}, {{key: []}}], responses: {{200: {{description: x}}}}}}
      put: {{responses: {{default: {{description: x}}}}}}
"
    );
    let description = parse(text.as_bytes(), "shop.yaml").expect("it is right");
    let [get, put] = description.operations.as_slice() else { panic!("{description:?}") };
    assert_eq!((get.method.as_str(), get.path.as_str()), ("GET", "/pets/{id}"));
    assert_eq!(get.parameters, [("path".to_owned(), "id".to_owned())]);
    assert!(!get.requires_credentials, "an empty requirement is an alternative");
    assert!(put.requires_credentials, "the document's security");
    assert_eq!(description.notes, ["`paths./other`: `other.yaml#/x` lies in another file and was not read"]);
    let circle = "paths: {/a: {$ref: '#/paths/~1b'}, /b: {$ref: '#/paths/~1a'}}\n";
    assert!(refusal(circle).contains("chain of more than 16 references"));
}

#[test]
fn paths_that_refer_to_the_same_large_item_are_bounded() {
    let parameters = "{in: query, name: a, schema: {}},".repeat(10_000);
    let responses: String = (100..600).map(|code| format!("'{code}': {{description: x}},")).collect();
    let methods: String =
        ["get", "put", "post", "delete"].map(|m| format!("{m}: {{responses: {{{responses}}}}},")).concat();
    let paths: String = (0..20_000).map(|n| format!("  /p{n}: {{$ref: '#/x-i'}}\n")).collect();
    let body = format!("paths:\n{paths}x-i: {{parameters: [{parameters}], {methods}}}\n");
    let start = Stopwatch::start();
    let message = refusal(&body);
    assert!(message.contains("unfold to more than"), "{message}");
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
}

#[test]
fn a_client_certificate_is_no_credential_of_the_request() {
    let text = "openapi: 3.1.0\ninfo: {title: x, version: '1'}\nsecurity: [{mtls: []}]\npaths:\n  /a: {get: {}}\n  /b:\n    \
        get: {security: [{mtls: [], key: []}]}\ncomponents: {securitySchemes: {mtls: {type: mutualTLS}, key: {type: apiKey, \
        in: header, name: k}}}\n";
    let description = parse(text.as_bytes(), "x").expect("it is right");
    let required: Vec<bool> = description.operations.iter().map(|operation| operation.requires_credentials).collect();
    assert_eq!(required, [false, true]);
}

#[test]
fn a_tolerant_reading_warns_of_undeclared_path_parameters() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("shop.yaml");
    let get = "get: {responses: {200: {description: x}}}";
    let written = |paths: &str| std::fs::write(&file, format!("{HEAD}paths:\n{paths}")).expect("written");
    written(&format!("  /a/{{id}}:\n    {get}\n  /b: {{{get}}}\n"));
    assert!(load(&file).expect_err("a strict reading refuses it").to_string().contains("no path parameter `id`"));
    let description = load_tolerant(&file).expect("it is useful all the same");
    assert_eq!(description.operations.len(), 2);
    let place = file.display();
    assert_eq!(
        description.warnings,
        [format!(
            "{place}:5:5: `paths./a/{{id}}.get` declares no path parameter `id`, which its path has; add it to \
             `parameters` with `in: path` and `required: true`"
        )]
    );
    let many: String = (0..50).map(|n| format!("  /p{n}/{{id}}: {{{get}}}\n")).collect();
    written(&many);
    let warnings = load_tolerant(&file).expect("as above").warnings;
    assert!(warnings.len() == WARNINGS_TOLD + 1 && warnings[3].ends_with(": 29 or more of the kind"), "{warnings:?}");
    // What makes it useless is no slip, wherever it stands.
    written(&format!("{many}  /z: {{$ref: '#/nowhere'}}\n"));
    assert!(load_tolerant(&file).expect_err("it leads nowhere").to_string().contains("#/nowhere"));
}

#[test]
fn methods_depend_on_the_version() {
    let operations = |version: &str, item: &str| {
        let text = format!("openapi: {version}\ninfo: {{title: x, version: '1'}}\npaths: {{/a: {item}}}\n");
        parse(text.as_bytes(), "x").map(|d| d.operations.into_iter().map(|o| o.method).collect::<Vec<_>>())
    };
    let item = "{query: {}, additionalOperations: {LOCK: {}}, trace: {}}";
    assert_eq!(operations("3.2.0", item).expect("3.2 has them"), ["TRACE", "QUERY", "LOCK"]);
    assert!(operations("3.1.0", item).is_err());
    assert_eq!(operations("3.1.0", "{trace: {}}").expect("3.1 has it"), ["TRACE"]);
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(openapi: 3.0.0\n)?[a-z:{}\\[\\]\"'&*<!|>, \n-]{0,200}") {
        let _ = parse(text.as_bytes(), "x.yaml");
    }
}
