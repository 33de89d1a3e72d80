//! A real Prometheus that scrapes sensors.

use super::cli::Folder;
use super::sensor::{PATIENCE, free_port, get, wait_for};
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Whether these programs can be started; says so when one cannot.
pub fn are_there(programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| {
        Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err()
    });
    if let Some(missing) = missing {
        eprintln!("skipped: {missing} is not there (Debian: apt-get install prometheus)");
    }
    missing.is_none()
}

pub struct Prometheus {
    folder: Folder,
    port: u16,
    child: Child,
}

impl Prometheus {
    /// Scrapes the sensors at these ports every second, with our rules.
    pub fn start(ports: &[u16]) -> Prometheus {
        let (folder, port) = (Folder::new(), free_port());
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring/prometheus-rules.yml");
        let targets: Vec<String> = ports.iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
        let config = folder.write(
            "prometheus.yml",
            format!(
                "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [\"{}\"]\n\
                 scrape_configs:\n  - job_name: apitap\n    static_configs: [{{ targets: [{}] }}]\n",
                rules.display(),
                targets.join(", ")
            ),
        );
        let log = File::create(folder.path("prometheus.log")).expect("a file");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={config}"))
            .arg(format!("--storage.tsdb.path={}", folder.path("data")))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("prometheus starts");
        let prometheus = Prometheus { folder, port, child };
        wait_for("prometheus is ready", || get(&format!("http://127.0.0.1:{port}/-/ready"), 200));
        prometheus
    }

    fn api(&self, path: &str) -> Value {
        let url = format!("http://127.0.0.1:{}/api/v1/{path}", self.port);
        let answer = [200, 400, 422].into_iter().find_map(|status| get(&url, status));
        let text = answer.unwrap_or_else(|| panic!("no answer to {path}: {}", self.folder.read("prometheus.log")));
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["status"], "success", "{path}: {text}");
        value["data"].clone()
    }

    /// The labels and values that a query gives now.
    #[track_caller]
    pub fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let data = self.api(&format!("query?query={}", encoded(query)));
        let result = data["result"].as_array().unwrap_or_else(|| panic!("{query}: {data}"));
        let sample = |sample: &Value| {
            (sample["metric"].clone(), sample["value"][1].as_str().expect("a value").parse().expect("a number"))
        };
        result.iter().map(sample).collect()
    }

    /// The value of a query that gives one, once it is this.
    #[track_caller]
    pub fn becomes(&self, query: &str, expected: f64) {
        let mut last = Vec::new();
        let until = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < until {
            last = self.query(query);
            if last.len() == 1 && last[0].1 == expected {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        panic!("{query} should become {expected}, and is {last:?}");
    }

    /// Name, query and health of every rule that is loaded.
    pub fn rules(&self) -> Vec<(String, String)> {
        let groups = self.api("rules?type=alert");
        let text = |rule: &Value, key: &str| rule[key].as_str().expect("a text").to_owned();
        let rules = groups["groups"].as_array().expect("groups").iter().flat_map(|group| group["rules"].as_array());
        rules.flatten().map(|rule| (text(rule, "name"), text(rule, "query"))).collect()
    }

    pub fn label_values(&self, label: &str, series: &str) -> Vec<Value> {
        let data = self.api(&format!("label/{label}/values?match[]={}", encoded(series)));
        data.as_array().expect("values").clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

/// Percent-encodes all but letters and digits (RFC 3986, section 2.1).
fn encoded(text: &str) -> String {
    let one = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(one).collect()
}
