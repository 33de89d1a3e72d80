//! HTTP/2 between real programs, captured on the loopback interface: what their servers logged is what we see.
//!
//! Servers are nginx and nghttpd, behind nghttpx for the Upgrade; clients are curl, nghttp and h2load. Skipped, with the
//! reason, where one of them or the right to capture is missing.

#[path = "../support/programs.rs"]
mod programs;
#[path = "../support/mod.rs"]
mod support;

use apitap::http::{Field, Marks};
use programs::{Capture, Service, command, free_port, missing, run};
use std::path::Path;
use support::{Line, line_of, sorted};

const TOOLS: [&str; 6] = ["nginx", "nghttpd", "nghttpx", "nghttp", "h2load", "curl"];

#[test]
fn what_nginx_logs_is_what_we_see() {
    if let Some(reason) = missing(&TOOLS) {
        eprintln!("skipped: {reason}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (folder, port, behind) = (folder.path(), free_port(), free_port());
    let config = format!(
        "daemon off; master_process off; pid {0}/pid; error_log {0}/error.log; events {{}}\n\
         http {{ log_format line '$request_method $request_uri $status $server_protocol'; access_log {0}/access.log line;\n\
         client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;\n\
         gzip on; gzip_min_length 10; gzip_types application/json; types {{ application/json json; }}\n\
         server {{ listen 127.0.0.1:{port} http2; root {0}; location /made {{ proxy_pass http://127.0.0.1:{behind}; }} }}\n\
         server {{ listen 127.0.0.1:{behind}; access_log off; location / {{ return 201 made; }} }} }}\n",
        folder.display()
    );
    std::fs::write(folder.join("nginx.conf"), config).unwrap();
    std::fs::write(folder.join("small.json"), r#"{"name":"Mug","price":1200}"#).unwrap();
    let large = format!("[{}0]", r#"{"name":"Mug","price":1200,"tags":["blue","large"]},"#.repeat(8000));
    std::fs::write(folder.join("large.json"), &large).unwrap();
    let mut nginx = command("nginx");
    let nginx = nginx.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
    let mut nginx = Service::listening(nginx, &folder.join("nginx.log"), port);

    let capture = Capture::start(folder, &[port]);
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let body = "x".repeat(100_000);
    let curl = |arguments: &[&str]| {
        run(
            "curl",
            &[&["-s", "-o", "/dev/null", "--http2-prior-knowledge", "--max-time", "10"][..], arguments].concat(),
        )
    };
    // One connection each: curl 7.88 has trouble with a second request.
    for path in ["/small.json", "/large.json", "/none"] {
        curl(&["--compressed", &url(path)]);
    }
    curl(&["-I", &url("/large.json")]);
    curl(&["-d", &body, "-H", "Cookie: a=1; session=2", "-H", "Authorization: Bearer t", &url("/made?q=1")]);
    run("nghttp", &["-n", &url("/small.json"), &url("/large.json"), &url("/none")]);
    run("h2load", &["-n", "2000", "-c", "4", "-m", "20", &url("/small.json")]);
    let ours = capture.transactions();
    nginx.interrupt();

    let log = std::fs::read_to_string(folder.join("access.log")).unwrap();
    let logged: Vec<Line> = log
        .lines()
        .map(|line| {
            let [method, uri, status, protocol] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            assert_eq!(protocol, "HTTP/2.0");
            (method.to_owned(), uri.to_owned(), status.parse().unwrap())
        })
        .collect();
    assert_eq!(logged.len(), 3 + 1 + 1 + 3 + 2000);
    assert_eq!(sorted(ours.iter().map(line_of).collect()), sorted(logged));
    for transaction in &ours {
        let (request, response) = (transaction.request.as_ref().unwrap(), transaction.response.as_ref().unwrap());
        assert_eq!(request.head.version(), "HTTP/2");
        assert_eq!(transaction.marks, Marks::none(), "{:?}", line_of(transaction));
        let (method, target) = (request.head.method(), request.head.target());
        // The compressed body is decoded to what it was.
        if method == b"GET" && target == b"/large.json" {
            assert_eq!(response.report, Some(large.len() as u64));
        }
        if method == b"POST" {
            assert_eq!((request.body_length, request.report), (100_000, Some(100_000)));
            assert_eq!(request.head.get(Field::Cookie), Some(&b"a=1; session=2"[..]));
            assert_eq!(request.head.get(Field::Authorization), Some(&b"Bearer t"[..]));
        }
    }
}

#[test]
fn an_upgrade_is_read() {
    if let Some(reason) = missing(&TOOLS) {
        eprintln!("skipped: {reason}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (folder, behind, port) = (folder.path(), free_port(), free_port());
    let _nghttpd = nghttpd(folder, behind);
    let mut nghttpx = command("nghttpx");
    nghttpx.arg(format!("-f127.0.0.1,{port};no-tls")).arg(format!("-b127.0.0.1,{behind};;proto=h2"));
    nghttpx.args(["--conf=/dev/null", "--single-process"]);
    let _nghttpx = Service::listening(&mut nghttpx, &folder.join("nghttpx.log"), port);

    let capture = Capture::start(folder, &[port]);
    run("curl", &["-s", "-o", "/dev/null", "--http2", &format!("http://127.0.0.1:{port}/a.json?up")]);
    let ours = capture.transactions();
    assert_eq!(ours.iter().map(line_of).collect::<Vec<_>>(), [line("/a.json?up", 101), line("/a.json?up", 200)]);
    assert!(ours[0].marks.contains(Marks::UPGRADED));
    let response = ours[1].response.as_ref().unwrap();
    assert_eq!((response.head.version(), response.report), ("HTTP/2", Some(2)));
}

#[test]
fn a_push_and_trailers_are_read() {
    if let Some(reason) = missing(&TOOLS) {
        eprintln!("skipped: {reason}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (folder, port) = (folder.path(), free_port());
    let _nghttpd = nghttpd(folder, port);
    let capture = Capture::start(folder, &[port]);
    run("nghttp", &["-n", &format!("http://127.0.0.1:{port}/a.json")]);
    let ours = capture.transactions();
    let lines = sorted(ours.iter().map(line_of).collect());
    assert_eq!(lines, [line("/a.json", 200), line("/b.json", 200)]);
    let pushed: Vec<Line> = ours.iter().filter(|t| t.marks.contains(Marks::PUSHED)).map(line_of).collect();
    assert_eq!(pushed, [line("/b.json", 200)]);
    assert!(ours.iter().all(|transaction| transaction.response.as_ref().unwrap().report == Some(2)));
}

fn line(target: &str, status: u16) -> Line {
    ("GET".to_owned(), target.to_owned(), status)
}

/// A server that pushes `b.json` to who asks for `a.json`, and ends both with trailers.
fn nghttpd(folder: &Path, port: u16) -> Service {
    std::fs::write(folder.join("a.json"), "{}").unwrap();
    std::fs::write(folder.join("b.json"), "[]").unwrap();
    let mut nghttpd = command("nghttpd");
    nghttpd.args(["--no-tls", "-a", "127.0.0.1", "-p/a.json=/b.json", "--trailer", "end: yes", "-d"]).arg(folder);
    Service::listening(nghttpd.arg(port.to_string()), &folder.join("nghttpd.log"), port)
}
