//! Drives the built binary: runs it, and makes the captures it reads.
#![allow(dead_code)] // each test binary uses its part

use apitap::simulate::wire::{Conversation, DEFAULT_START, FULL_SNAPLEN, merge, pcap};
use apitap::simulate::{Level, Options, Scenario, generate};
use apitap::time::Timestamp;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What a run of the program came to.
pub struct Run {
    /// `None` if a signal ended it.
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Run {
    /// The run, which must have ended with this status.
    #[track_caller]
    pub fn with_status(self, status: i32) -> Run {
        assert_eq!(self.status, Some(status), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    /// The lines of standard output as records.
    #[track_caller]
    pub fn records(&self) -> Vec<Value> {
        records(&self.out)
    }
}

#[track_caller]
pub fn records(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The records of a log that may be written to right now: whoever reads meanwhile may see the beginning of a line.
#[track_caller]
pub fn records_so_far(log: &str) -> Vec<Value> {
    records(log.rfind('\n').map_or("", |end| &log[..end]))
}

pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apitap"));
    command.env_remove("CLICOLOR_FORCE").stdin(Stdio::null());
    command
}

/// Runs `apitap` with these arguments, parted by the caller.
pub fn apitap(arguments: &[&str]) -> Run {
    run(command().args(arguments))
}

pub fn run(command: &mut Command) -> Run {
    let output = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    Run { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A folder of files for one test.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    /// The path of a file that may not be there yet.
    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("a path in UTF-8").to_owned()
    }

    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        let parent = Path::new(&path).parent().expect("the folder");
        std::fs::create_dir_all(parent).expect("a folder");
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a text file")
    }
}

/// Every file below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Half an hour of a small shop with these attacks in it, from minute 11 on.
pub fn attack_traffic(scenarios: &[Scenario]) -> Options {
    Options {
        scenarios: scenarios.iter().map(|scenario| (*scenario, Level::Easy)).collect(),
        duration: Duration::from_secs(30 * 60),
        quiet_first: Duration::from_secs(11 * 60),
        rate: 2.0,
        clients: 40,
        seed: 5,
        ..Options::default()
    }
}

/// The capture of these options.
pub fn simulated(options: &Options) -> Vec<u8> {
    let mut capture = Vec::new();
    generate(options, &mut capture, &mut std::io::sink()).expect("memory takes it");
    capture
}

/// Header of a capture file, and of each of its frames.
const FILE_HEADER_BYTES: usize = 24;
const FRAME_HEADER_BYTES: usize = 16;

/// The frames of a little-endian capture file, each with its header.
pub fn frames_of(capture: &[u8]) -> Vec<&[u8]> {
    let mut rest = &capture[FILE_HEADER_BYTES..];
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let kept = u32::from_le_bytes(rest[8..12].try_into().expect("four bytes")) as usize;
        let (frame, behind) = rest.split_at(FRAME_HEADER_BYTES + kept);
        frames.push(frame);
        rest = behind;
    }
    frames
}

/// A capture file with the header of another and these of its frames.
pub fn capture_of(like: &[u8], frames: &[&[u8]]) -> Vec<u8> {
    [&like[..FILE_HEADER_BYTES], &frames.concat()].concat()
}

/// One request and its answer on a connection of its own.
#[derive(Clone)]
pub struct Talk {
    /// Seconds after the start of the capture.
    pub at: f64,
    pub client: String,
    pub request: String,
    pub response: String,
}

pub const SERVER: &str = "10.20.0.11:80";
pub const HOST: &str = "api.bank.example";

impl Talk {
    /// `GET` of a path, answered with a small JSON document.
    pub fn get(at: f64, client: &str, target: &str) -> Talk {
        Talk {
            at,
            client: client.to_owned(),
            request: format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n"),
            response: json_response("200 OK", r#"{"state":"fine"}"#),
        }
    }

    pub fn post(at: f64, client: &str, target: &str, kind: &str, body: &str) -> Talk {
        let length = body.len();
        let head =
            format!("POST {target} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {kind}\r\nContent-Length: {length}");
        Talk { request: format!("{head}\r\n\r\n{body}"), ..Talk::get(at, client, target) }
    }

    /// One more header of the request.
    pub fn header(mut self, name: &str, value: &str) -> Talk {
        self.request = self.request.replacen("\r\n", &format!("\r\n{name}: {value}\r\n"), 1);
        self
    }

    /// Another answer: the whole of its bytes.
    pub fn answer(self, response: impl Into<String>) -> Talk {
        Talk { response: response.into(), ..self }
    }

    fn conversation(&self, port: u16, start: Timestamp) -> Conversation {
        Conversation::new(&format!("{}:{port}", self.client), SERVER)
            .at(start.saturating_add(Duration::from_secs_f64(self.at)))
            .exchange(&self.request, &self.response)
            .close()
    }
}

pub fn json_response(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// The capture of these talks.
pub fn capture(talks: &[Talk]) -> Vec<u8> {
    capture_from(talks, DEFAULT_START)
}

pub fn capture_from(talks: &[Talk], start: Timestamp) -> Vec<u8> {
    const FIRST_PORT: usize = 30_000;
    let conversations =
        talks.iter().enumerate().map(|(index, talk)| talk.conversation((FIRST_PORT + index) as u16, start));
    pcap(&merge(conversations), FULL_SNAPLEN)
}
