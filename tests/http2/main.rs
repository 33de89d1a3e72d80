//! HTTP/2 between real programs, captured on the loopback interface: what their servers logged is what we see.
//!
//! Servers are nginx and nghttpd, behind nghttpx for the Upgrade; clients are curl, nghttp and h2load. Skipped, with the
//! reason, where one of them or the right to capture is missing.

#[path = "../support/mod.rs"]
mod support;

use apitap::http::{Field, Marks, Transaction};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{Line, line_of, transactions_of};

const TOOLS: [&str; 7] = ["nginx", "nghttpd", "nghttpx", "nghttp", "h2load", "curl", "tcpdump"];
const WITHIN: Duration = Duration::from_secs(15);

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
    command
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = command(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {}: {out}{error}", arguments.join(" "));
    out.into_owned()
}

/// What is missing, if anything.
fn missing() -> Option<String> {
    for tool in TOOLS {
        let found = command("sh").args(["-c", &format!("command -v {tool}")]).stdout(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            return Some(format!("{tool} is not installed"));
        }
    }
    let probe = command("tcpdump").args(["-i", "lo", "-w", "/dev/null"]).stderr(Stdio::null()).spawn();
    let may = probe.is_ok_and(|mut probe| {
        std::thread::sleep(Duration::from_millis(300));
        let runs = probe.try_wait().is_ok_and(|ended| ended.is_none_or(|status| status.success()));
        let _ = probe.kill();
        let _ = probe.wait();
        runs
    });
    (!may).then(|| "capturing on the loopback interface is not allowed".to_owned())
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < WITHIN, "not within {WITHIN:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A program that ends with the test.
struct Service(Child);

impl Service {
    fn start(command: &mut Command, log: &Path) -> Service {
        let file = std::fs::File::create(log).unwrap();
        let other = file.try_clone().unwrap();
        Service(command.stdin(Stdio::null()).stdout(file).stderr(other).spawn().unwrap())
    }

    fn interrupt(&mut self) {
        let pid = self.0.id().to_string();
        run("kill", &["-INT", &pid]);
        self.0.wait().unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port of the loopback interface that nobody uses.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

struct Capture {
    tcpdump: Service,
    file: PathBuf,
}

impl Capture {
    fn start(folder: &Path, port: u16) -> Capture {
        let (file, log) = (folder.join("capture.pcap"), folder.join("tcpdump.log"));
        let mut tcpdump = command("tcpdump");
        tcpdump.args(["-i", "lo", "-U", "--immediate-mode", "-B", "65536", "-s", "0", "-Z", "root", "-w"]).arg(&file);
        let tcpdump = Service::start(tcpdump.args(["tcp", "port", &port.to_string()]), &log);
        wait_until("tcpdump listens", || std::fs::read_to_string(&log).unwrap().contains("listening on"));
        Capture { tcpdump, file }
    }

    fn transactions(mut self) -> Vec<Transaction<u64>> {
        std::thread::sleep(Duration::from_millis(500)); // what is under way
        self.tcpdump.interrupt();
        transactions_of(&self.file)
    }
}

fn sorted(mut lines: Vec<Line>) -> Vec<Line> {
    lines.sort();
    lines
}

#[test]
fn what_nginx_logs_is_what_we_see() {
    if let Some(reason) = missing() {
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
    let mut nginx = Service::start(nginx, &folder.join("nginx.log"));
    wait_until("nginx listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());

    let capture = Capture::start(folder, port);
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
    if let Some(reason) = missing() {
        eprintln!("skipped: {reason}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (folder, behind, port) = (folder.path(), free_port(), free_port());
    let _nghttpd = nghttpd(folder, behind);
    let mut nghttpx = command("nghttpx");
    nghttpx.arg(format!("-f127.0.0.1,{port};no-tls")).arg(format!("-b127.0.0.1,{behind};;proto=h2"));
    nghttpx.args(["--conf=/dev/null", "--single-process"]);
    let _nghttpx = Service::start(&mut nghttpx, &folder.join("nghttpx.log"));
    wait_until("nghttpx listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());

    let capture = Capture::start(folder, port);
    run("curl", &["-s", "-o", "/dev/null", "--http2", &format!("http://127.0.0.1:{port}/a.json?up")]);
    let ours = capture.transactions();
    assert_eq!(ours.iter().map(line_of).collect::<Vec<_>>(), [line("/a.json?up", 101), line("/a.json?up", 200)]);
    assert!(ours[0].marks.contains(Marks::UPGRADED));
    let response = ours[1].response.as_ref().unwrap();
    assert_eq!((response.head.version(), response.report), ("HTTP/2", Some(2)));
}

#[test]
fn a_push_and_trailers_are_read() {
    if let Some(reason) = missing() {
        eprintln!("skipped: {reason}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (folder, port) = (folder.path(), free_port());
    let _nghttpd = nghttpd(folder, port);
    let capture = Capture::start(folder, port);
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
    let service = Service::start(nghttpd.arg(port.to_string()), &folder.join("nghttpd.log"));
    wait_until("nghttpd listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    service
}
