//! Real stacks hop by hop: clients, a proxy, servers in Python and Node. What each of them logged is what we see on its
//! port, over HTTP/1.1 and HTTP/2.
//!
//! Skipped, with the reason, where one of the programs or the right to capture is missing.

#[path = "../support/programs.rs"]
mod programs;
#[path = "../support/mod.rs"]
mod support;

use apitap::http::Transaction;
use programs::{Capture, Service, command, free_port, missing, run};
use std::path::Path;
use support::{Line, line_of, sorted};

const SERVER_PY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stacks/server.py");
const SERVER_JS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stacks/server.js");
/// Requests of each load test.
const REQUESTS: &str = "600";

/// The lines of a log: method, target, status.
fn logged(log: &Path) -> Vec<Line> {
    let line = |line: &str| {
        let [method, target, status] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        (method.to_owned(), target.to_owned(), status.parse().unwrap())
    };
    let text = std::fs::read_to_string(log).unwrap();
    // Of a connection without a request, such as the one that looked whether it listens, HAProxy says <BADREQ>.
    sorted(text.lines().filter(|line| !line.starts_with('<')).map(line).collect())
}

/// What a server's log says is what went over its port, request by request; none in part.
fn assert_seen(what: &str, port: u16, transactions: &[Transaction<u64>], log: &Path, version: &str) {
    let of_port: Vec<_> = transactions.iter().filter(|transaction| transaction.server.port == port).collect();
    for transaction in &of_port {
        let (request, response) = (transaction.request.as_ref(), transaction.response.as_ref());
        let (Some(request), Some(response)) = (request, response) else { panic!("{what}: {:?}", line_of(transaction)) };
        assert_eq!((request.head.version(), response.head.version()), (version, version), "{what}");
    }
    let (ours, theirs) = (sorted(of_port.into_iter().map(line_of).collect()), logged(log));
    assert!(theirs.len() > 500, "{what}: {} lines", theirs.len());
    let first = ours.iter().zip(&theirs).find(|(one, other)| one != other);
    assert_eq!((ours.len(), None), (theirs.len(), first), "{what}");
}

struct Ports {
    /// The proxy's, for HTTP/1.1 and for HTTP/2.
    plain: u16,
    http2: u16,
    python: u16,
    node: u16,
    node_http2: u16,
}

/// By the first segment of the path to one of the servers. With more threads than one it drops a line of its log where two
/// would write at once.
fn haproxy_config(ports: &Ports) -> String {
    let Ports { plain, http2, python, node, node_http2 } = ports;
    format!(
        "global\n  nbthread 1\n  log stdout format raw local0\n\
         defaults\n  mode http\n  log global\n  log-format \"%HM %HPO%HQ %ST\"\n\
         \x20 timeout client 10s\n  timeout server 10s\n  timeout connect 5s\n\
         frontend all\n  bind 127.0.0.1:{plain}\n  bind 127.0.0.1:{http2} proto h2\n\
         \x20 use_backend node if {{ path_beg /node }}\n  use_backend node2 if {{ path_beg /h2 }}\n  default_backend python\n\
         backend python\n  server one 127.0.0.1:{python}\n\
         backend node\n  server one 127.0.0.1:{node}\n\
         backend node2\n  server one 127.0.0.1:{node_http2} proto h2\n"
    )
}

/// All that clients ask of one frontend.
fn ask(url: &str, more: &[&str], folder: &Path) {
    let body = "x".repeat(70_000);
    std::fs::write(folder.join("body"), &body).unwrap();
    let upload = format!("@{}", folder.join("body").display());
    let curl = |arguments: &[&str]| {
        run("curl", &[&["-s", "-o", "/dev/null", "--max-time", "10"], more, arguments].concat());
    };
    let of = |path: &str| format!("{url}{path}");
    for path in
        ["/py/items?page=2", "/py/missing", "/py/moved", "/py/gone", "/py/chunked", "/node/items", "/h2/items?q=1"]
    {
        curl(&[&of(path)]);
    }
    curl(&["--compressed", &of("/py/items")]);
    curl(&["-I", &of("/py/chunked")]);
    curl(&["-X", "DELETE", &of("/py/gone/7")]);
    for server in ["py", "node", "h2"] {
        curl(&["-d", r#"{"name":"mug"}"#, "-H", "Content-Type: application/json", &of(&format!("/{server}/orders"))]);
        curl(&["--data-binary", &upload, &of(&format!("/{server}/uploads"))]);
        curl(&["-T", &upload[1..], &of(&format!("/{server}/files/body"))]);
    }
}

#[test]
fn what_each_hop_logs_is_what_we_see() {
    if let Some(reason) = missing(&["haproxy", "python3", "node", "curl", "h2load"]) {
        eprintln!("skipped: {reason}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let log = |name: &str| folder.join(name);
    let ports = Ports {
        plain: free_port(),
        http2: free_port(),
        python: free_port(),
        node: free_port(),
        node_http2: free_port(),
    };
    let server = |program: &str, script: &str, port: u16, name: &str, more: &[&str]| {
        let mut server = command(program);
        server.arg(script).arg(port.to_string()).arg(log(name)).args(more);
        Service::listening(&mut server, &log(&format!("{name}.said")), port)
    };
    let _python = server("python3", SERVER_PY, ports.python, "python", &[]);
    let _node = server("node", SERVER_JS, ports.node, "node", &[]);
    let _node_http2 = server("node", SERVER_JS, ports.node_http2, "node2", &["h2"]);
    std::fs::write(log("haproxy.cfg"), haproxy_config(&ports)).unwrap();
    let mut haproxy = command("haproxy");
    let _haproxy = Service::listening(haproxy.arg("-f").arg(log("haproxy.cfg")), &log("haproxy"), ports.plain);

    let servers = [ports.plain, ports.http2, ports.python, ports.node, ports.node_http2];
    let capture = Capture::start(folder, &servers);
    let (plain, http2) = (format!("http://127.0.0.1:{}", ports.plain), format!("http://127.0.0.1:{}", ports.http2));
    ask(&plain, &[], folder);
    ask(&http2, &["--http2-prior-knowledge"], folder);
    for path in ["/py/load", "/node/load", "/h2/load"] {
        run("h2load", &["--h1", "-n", REQUESTS, "-c", "4", &format!("{plain}{path}")]);
        run("h2load", &["-n", REQUESTS, "-c", "4", "-m", "10", &format!("{http2}{path}")]);
    }
    let transactions = capture.transactions();

    assert_seen("Python", ports.python, &transactions, &log("python"), "HTTP/1.1");
    assert_seen("Node", ports.node, &transactions, &log("node"), "HTTP/1.1");
    assert_seen("Node, HTTP/2", ports.node_http2, &transactions, &log("node2"), "HTTP/2");
    // The proxy has one log for both of its ports.
    let of_proxy = transactions.iter().filter(|t| [ports.plain, ports.http2].contains(&t.server.port));
    let (ours, theirs) = (sorted(of_proxy.map(line_of).collect()), logged(&log("haproxy")));
    let first = ours.iter().zip(&theirs).find(|(one, other)| one != other);
    assert_eq!((ours.len(), None), (theirs.len(), first), "HAProxy");
}
