//! What a daemon needs of the host beside its folders: its control socket, and the port of its metrics.
//!
//! A path and an address in, checks out. Whether one runs already is asked of it; the port is tried, and given back.

use super::report::Check;
use crate::service::{Reply, Request, ask};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

/// How a daemon is known.
#[derive(Clone, Copy)]
pub struct Running {
    pid: u64,
}

/// The daemon that answers on a socket.
pub fn running(socket: &Path) -> Option<Running> {
    match ask(socket, &Request::Status) {
        Ok(Reply::Ok(status)) => Some(Running { pid: status["pid"].as_u64()? }),
        _ => None,
    }
}

pub fn socket(path: &Path, daemon: Option<Running>) -> Check {
    const NAME: &str = "socket";
    let shown = path.display();
    if let Some(Running { pid }) = daemon {
        return Check::ok(NAME, format!("a daemon answers on {shown} (process {pid})"));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Check::warn(NAME, format!("{shown} is held, but no daemon answers"), "`systemctl restart apitap`"),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Check::warn(
            NAME,
            format!("{shown} may not be spoken to: {error}"),
            "run this as root: `sudo apitap doctor`",
        ),
        Err(_) => Check::ok(NAME, format!("no daemon runs on {shown}")), // the next one removes what is left there
    }
}

pub fn metrics(address: SocketAddr, daemon: Option<Running>) -> Check {
    const NAME: &str = "metrics";
    let free = match TcpListener::bind(address) {
        Ok(_) => return Check::ok(NAME, format!("{address} is free")),
        Err(error) => error,
    };
    match (free.kind(), daemon) {
        (ErrorKind::AddrInUse, Some(Running { pid })) => {
            Check::ok(NAME, format!("{address} is in use, while a daemon runs (process {pid})"))
        }
        (ErrorKind::AddrInUse, None) => {
            let mend = "set `metrics.listen` to a port that is free, or to \"\"; `ss -ltnp` says who has this one";
            Check::fail(NAME, format!("{address} is in use by another program"), mend)
        }
        _ => {
            let mend = "set `metrics.listen` to an address of this host, or to \"\"";
            Check::fail(NAME, format!("{address} cannot be listened on: {free}"), mend)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::report::Verdict;

    #[test]
    fn a_port_that_somebody_has_is_named_with_the_mend() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap();
        let check = metrics(address, None);
        assert!(check.verdict == Verdict::Fail && check.mend.unwrap().contains("metrics.listen"));
        let check = metrics(address, Some(Running { pid: 7 }));
        assert!(check.verdict == Verdict::Ok && check.found.contains("process 7"), "{check:?}");
        drop(held);
        assert_eq!(metrics(address, None).verdict, Verdict::Ok);
        assert_eq!(metrics("192.0.2.1:9".parse().unwrap(), None).verdict, Verdict::Fail);
    }

    #[test]
    fn a_socket_says_whether_a_daemon_runs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        assert!(running(&path).is_none());
        assert_eq!(socket(&path, None).verdict, Verdict::Ok);
        let _held = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(socket(&path, None).verdict, Verdict::Warn);
        assert!(socket(&path, Some(Running { pid: 7 })).found.contains("process 7"));
    }
}
