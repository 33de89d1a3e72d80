//! A site of network namespaces: clients, a server with nginx and a small API, and a mirror of its wire.
//!
//! `clients` and `server` are joined by a veth pair; what passes the server's end is copied, both ways, to the interface
//! `mirror` in the server's namespace, as a switch would. All of it goes when the value is dropped.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

pub const SERVER: &str = "10.213.0.1";
pub const PORT: u16 = 8080;
/// The interface that carries the copy.
pub const MIRROR: &str = "mirror";

/// One site at a time: a flood at one would make another's traffic late.
static ONE: Mutex<()> = Mutex::new(());

pub struct Site {
    _turn: MutexGuard<'static, ()>,
    clients: String,
    server: String,
    services: Vec<Child>,
}

/// What is missing to make a site, if anything.
pub fn missing() -> Option<String> {
    let tools = ["ip", "tc", "nginx", "curl", "tcpdump", "python3", "wrk"];
    if let Some(missing) = tools.into_iter().find_map(missing_tool) {
        return Some(missing);
    }
    static MAY: OnceLock<bool> = OnceLock::new();
    let may = *MAY.get_or_init(|| {
        let probe = format!("apitap-probe-{}", std::process::id());
        let may = run("ip", &["netns", "add", &probe]).status.success();
        run("ip", &["netns", "del", &probe]);
        may
    });
    (!may).then(|| "network namespaces need root".to_owned())
}

/// Why a tool cannot be used, if it cannot.
pub fn missing_tool(tool: &str) -> Option<String> {
    let found = run("sh", &["-c", &format!("command -v {tool}")]);
    (!found.status.success()).then(|| format!("{tool} is not installed"))
}

pub fn run(program: &str, arguments: &[&str]) -> Output {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}

fn must(program: &str, arguments: &[&str]) {
    let output = run(program, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {error}", arguments.join(" "));
}

fn ip(arguments: &str) {
    must("ip", &arguments.split(' ').collect::<Vec<_>>());
}

/// What passes the server's wire one way is copied to a link.
fn copy_wire(server: &str, way: &str, to: &str) {
    let rule = format!(
        "-n {server} filter add dev wire {way} protocol all u32 match u32 0 0 action mirred egress mirror dev {to}"
    );
    must("tc", &rule.split(' ').collect::<Vec<_>>());
}

impl Site {
    /// Makes the namespaces, the wire and its mirror, and starts the services. `name` keeps sites apart.
    pub fn new(name: &str, folder: &Path) -> Site {
        let (clients, server) =
            (format!("{name}-c-{}", std::process::id()), format!("{name}-s-{}", std::process::id()));
        let turn = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut site = Site { _turn: turn, clients, server, services: Vec::new() };
        let (clients, server) = (site.clients.clone(), site.server.clone());
        ip(&format!("netns add {clients}"));
        ip(&format!("netns add {server}"));
        ip(&format!("-n {server} link add wire type veth peer name wire netns {clients}"));
        ip(&format!("-n {server} link add {MIRROR} type veth peer name copy"));
        for link in ["lo", "wire", MIRROR, "copy"] {
            ip(&format!("-n {server} link set {link} up"));
        }
        ip(&format!("-n {clients} link set lo up"));
        ip(&format!("-n {clients} link set wire up"));
        ip(&format!("-n {server} addr add {SERVER}/24 dev wire"));
        (10..40).for_each(|host| ip(&format!("-n {clients} addr add 10.213.0.{host}/24 dev wire")));
        must("tc", &["-n", &server, "qdisc", "add", "dev", "wire", "clsact"]);
        for way in ["ingress", "egress"] {
            copy_wire(&server, way, "copy");
        }
        let api = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live/api.py");
        site.serve(Command::new("python3").arg(api).arg("9000"));
        let nginx = folder.join("nginx.conf");
        let text = format!(
            "daemon off; pid {0}/nginx.pid; error_log {0}/nginx.log; events {{}}\n\
             http {{ access_log off; keepalive_requests 100000;\n\
             client_body_temp_path {0}/body; proxy_temp_path {0}/proxy; fastcgi_temp_path {0}/fcgi; \
             uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;\n\
             server {{ listen {SERVER}:{PORT}; location /bulk.json {{ root {0}; }} location / {{ proxy_pass http://127.0.0.1:9000; }} }} }}\n",
            folder.display()
        );
        let product = r#"{"name":"Mug","price":1200,"tags":["blue","large"]},"#;
        std::fs::write(folder.join("bulk.json"), format!("[{}0]", product.repeat(2000))).unwrap();
        std::fs::write(&nginx, text).unwrap();
        site.serve(Command::new("nginx").arg("-p").arg(folder).arg("-c").arg(&nginx));
        let started = Instant::now();
        while !site.curl(10, &[&format!("http://{SERVER}:{PORT}/v1/products")]).contains("Mug") {
            assert!(started.elapsed() < Duration::from_secs(20), "the API does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        site
    }

    /// What the server answers is mirrored to a card of its own.
    pub fn mirror_answers_to_another(&self, mirror: &str) {
        let server = &self.server;
        ip(&format!("-n {server} link add {mirror} type veth peer name answers"));
        for link in [mirror, "answers"] {
            ip(&format!("-n {server} link set {link} up"));
        }
        must("tc", &["-n", server, "filter", "del", "dev", "wire", "egress"]);
        copy_wire(server, "egress", "answers");
    }

    /// A command that runs in the server's namespace, where the mirror is.
    pub fn beside_server(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.server, program]);
        command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
        command
    }

    fn serve(&mut self, service: &Command) {
        let mut command = self.beside_server(&service.get_program().to_string_lossy());
        command.args(service.get_args()).stdout(Stdio::null()).stderr(Stdio::null());
        self.services.push(command.spawn().unwrap());
    }

    /// What curl prints, as the client 10.213.0.`host`.
    pub fn curl(&self, host: u8, arguments: &[&str]) -> String {
        let address = format!("10.213.0.{host}");
        let curl = ["netns", "exec", &self.clients, "curl", "-s", "--max-time", "10", "--interface", &address];
        let output = run("ip", &[&curl[..], arguments].concat());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What a program does as the client 10.213.0.`host`, though it chooses no address of its own.
    pub fn tool(&self, host: u8, program: &str, arguments: &[&str]) -> Output {
        ip(&format!("-n {} route replace 10.213.0.0/24 dev wire src 10.213.0.{host}", self.clients));
        run("ip", &[&["netns", "exec", &self.clients, "timeout", "60", program][..], arguments].concat())
    }

    /// Many requests of one client over one connection: curl reads them from a file, one block each.
    pub fn requests(&self, folder: &Path, host: u8, blocks: impl Iterator<Item = String>) {
        let file = folder.join(format!("curl-{host}.conf"));
        let blocks: Vec<String> = blocks.map(|block| format!("silent\noutput = /dev/null\n{block}\n")).collect();
        std::fs::write(&file, blocks.join("next\n")).unwrap();
        self.curl(host, &["-K", &file.display().to_string()]);
    }

    /// As many requests as `connections` give, for a while.
    pub fn flood(&self, connections: u32, seconds: u32) {
        let flags = ["-t1".to_owned(), format!("-c{connections}"), format!("-d{seconds}")];
        let url = format!("http://{SERVER}:{PORT}/bulk.json");
        let wrk = ["netns", "exec", &self.clients, "wrk", &flags[0], &flags[1], &flags[2], &url];
        must("ip", &wrk);
    }

    pub fn set_mirror(&self, is_up: bool) {
        ip(&format!("-n {} link set {MIRROR} {}", self.server, if is_up { "up" } else { "down" }));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for service in &mut self.services {
            let _ = service.kill();
            let _ = service.wait();
        }
        // nginx has children of its own.
        run("sh", &["-c", &format!("ip netns pids {} | xargs -r kill -9", self.server)]);
        run("ip", &["netns", "del", &self.clients]);
        run("ip", &["netns", "del", &self.server]);
    }
}
