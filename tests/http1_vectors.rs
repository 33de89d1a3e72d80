//! llhttp's own test vectors: what its strict mode completes we complete; what it rejects we reject, or accept with a
//! mark. The exceptions stand here by name, with the reason.
//!
//! A vector is one side of a connection, given as one segment behind a handshake. The extraction lost the empty line
//! at the end of some inputs: where llhttp's log goes past the input, it is put back; a rejected head gets one in any
//! case, so that we could accept it. llhttp is not told where the stream ends, so a body that ends with the connection
//! is not complete for it, nor counted here.

mod support;

use apitap::http::{Marks, Transaction};
use base64::Engine;
use support::conversation::{frame, packet};
use support::{Wire, corpus, has, json_lines};

/// Vectors on which we differ from llhttp.
const DIFFERENT: [(&str, &str); 7] = [
    (
        "request/content-length.md#Content-Length reset when no body is received",
        "its callback tells llhttp to skip bodies that are announced; nobody tells us",
    ),
    (
        "request/content-length.md#Missing CRLF-CRLF before body (lenient)",
        "lines that end with CR alone, which RFC 9112 section 2.2 has no room for: we wait for an LF",
    ),
    ("response/invalid.md#Bare CR after response line (lenient)", "lines that end with CR alone, as above"),
    (
        "request/lenient-headers.md#Empty headers separated by CR (lenient)",
        "the same: what follows the CR is no field, so no body is announced. We mark it bare_cr",
    ),
    (
        "request/invalid.md#Invalid method",
        "MKCOLA is a method like any other token (RFC 9110 section 9.1); llhttp has a list",
    ),
    ("request/method.md#OPTIONS request with RTSP", "RTSP is not HTTP"),
    (
        "response/connection.md#HTTP 100 first, then 400",
        "an interim response is no transaction of its own (RFC 9110 section 15.2)",
    ),
];

const SYN: u8 = 2;
const ACK: u8 = 16;

struct Vector {
    id: String,
    is_request: bool,
    is_lenient: bool,
    input: Vec<u8>,
    complete: usize,
    /// llhttp's error, where it is one: pausing at an upgrade is none.
    error: Option<String>,
}

fn vector_of(line: &serde_json::Value) -> Vector {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("").to_string();
    let mut input = base64::engine::general_purpose::STANDARD.decode(text(&line["input_b64"])).expect("base64");
    let error = line["error"].as_str().filter(|error| !error.contains("code=22")).map(str::to_string);
    let log = match &line["llhttp_log"] {
        serde_json::Value::Array(lines) => lines.iter().map(text).collect::<Vec<_>>().join("\n"),
        log => text(log),
    };
    let offset = |line: &str| line.split_whitespace().next()?.strip_prefix("off=")?.parse::<usize>().ok();
    if log.lines().filter_map(offset).any(|offset| offset > input.len()) {
        input.extend_from_slice(b"\r\n");
    } else if error.is_some() {
        input.extend_from_slice(b"\r\n\r\n");
    }
    Vector {
        id: text(&line["id"]),
        is_request: text(&line["type"]).starts_with("request"),
        is_lenient: line["lenient_mode"] == true,
        input,
        complete: line["messages_complete"].as_u64().unwrap_or(0) as usize,
        error,
    }
}

/// The messages of one side's bytes.
fn messages_of(vector: &Vector) -> Vec<Transaction<u64>> {
    let (this, other) = if vector.is_request { (0, 1) } else { (1, 0) };
    let mut wire = Wire::new();
    wire.frame(&frame(0, &packet(this, 0, 0, SYN, b"")));
    wire.frame(&frame(1, &packet(other, 0, 1, SYN | ACK, b"")));
    wire.frame(&frame(2, &packet(this, 1, 1, ACK, &vector.input)));
    wire.finish()
}

fn is_complete(message: &Transaction<u64>) -> bool {
    let ends_with_stream = message.response.as_ref().is_some_and(|response| {
        let framing = apitap::http::framing::of_response(&response.head, Default::default()).0;
        framing == apitap::http::framing::Framing::UntilClose
    });
    !has(message, Marks::INCOMPLETE) && !ends_with_stream
}

/// True when the message bears a mark of its own, beside that its other half is missing.
fn is_marked(message: &Transaction<u64>) -> bool {
    let mut names = message.marks.names();
    names.any(|name| !["request_only", "response_only", "incomplete"].contains(&name))
}

/// What is wrong with our reading of a vector.
fn difference(vector: &Vector) -> Option<String> {
    let messages = messages_of(vector);
    let complete = messages.iter().filter(|message| is_complete(message)).count();
    // The first message that llhttp did not complete is the one that it rejected.
    let is_accepted = messages.get(vector.complete).is_some_and(|message| is_complete(message) && !is_marked(message));
    let is_wrong = match &vector.error {
        None => complete != vector.complete,
        Some(_) => complete < vector.complete || is_accepted,
    };
    let marks = messages.iter().map(|message| message.marks).collect::<Vec<_>>();
    is_wrong.then(|| {
        let (id, theirs, error) = (&vector.id, vector.complete, &vector.error);
        format!("{id}: llhttp completes {theirs} ({error:?}), we complete {complete}, marks {marks:?}")
    })
}

#[test]
fn what_llhttp_completes_we_complete_and_what_it_rejects_we_reject_or_mark() {
    let Some(corpus) = corpus() else { return };
    let vectors: Vec<Vector> = json_lines(&corpus.join("http1_vectors/llhttp.jsonl")).iter().map(vector_of).collect();
    assert!(vectors.len() > 100, "only {} vectors: is the corpus whole?", vectors.len());
    let mut surprises = Vec::new();
    for vector in &vectors {
        let excuse = DIFFERENT.iter().find(|(id, _)| *id == vector.id);
        match (difference(vector), excuse) {
            (Some(difference), None) => surprises.push(difference),
            (None, Some((id, _))) => surprises.push(format!("{id} agrees, but is excused")),
            _ => {}
        }
    }
    assert!(surprises.is_empty(), "{} vectors differ:\n{}", surprises.len(), surprises.join("\n"));
    println!("{} vectors, {} strict", vectors.len(), vectors.iter().filter(|vector| !vector.is_lenient).count());
}
