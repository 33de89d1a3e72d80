//! What the daemon tells systemd (sd_notify(3)): ready, alive, reloading, stopping; to a socket of the test's own.

#[path = "support/cli.rs"]
mod cli;
#[path = "support/sensor.rs"]
mod sensor;

use cli::{Talk, capture, command};
use rustix::process::Signal;
use sensor::{PATIENCE, Site, until};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

const CLIENT: &str = "192.0.2.1";

/// The next message that begins like this; those before it are passed over.
#[track_caller]
fn awaited(socket: &UnixDatagram, start: &str) -> String {
    let mut passed = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let length = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("no {start}: {error}; but {passed:?}"));
        let message = String::from_utf8_lossy(&bytes[..length]).into_owned();
        if message.starts_with(start) {
            return message;
        }
        passed.push(message);
    }
}

#[test]
fn systemd_hears_of_each_step_of_its_life() {
    let site = Site::new();
    let socket = UnixDatagram::bind(site.folder.path("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let sensor =
        site.start_with(command().env("NOTIFY_SOCKET", site.folder.path("notify")).env("WATCHDOG_USEC", "30000000"));
    awaited(&socket, "READY=1");
    awaited(&socket, "WATCHDOG=1"); // nothing has come yet, and nothing hangs

    // With traffic the sign of life comes from the far end of the path: windows that were judged.
    let talks: Vec<Talk> = (0..60).map(|index| Talk::get(f64::from(index), CLIENT, "/v1/known")).collect();
    site.feed(&capture(&talks));
    until("the traffic is read", || site.asked(&["status", "--json"])["newest"].is_number());
    socket.set_nonblocking(true).unwrap();
    while socket.recv(&mut [0; 4096]).is_ok() {} // those of before
    socket.set_nonblocking(false).unwrap();
    awaited(&socket, "WATCHDOG=1"); // time goes on by itself, and windows close

    let before = monotonic_usec();
    sensor.signal(Signal::HUP);
    let reloading = awaited(&socket, "RELOADING=1");
    let at = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect(&reloading);
    let at: u128 = at.parse().unwrap();
    assert!(at >= before && at <= monotonic_usec(), "{before} {reloading}");
    awaited(&socket, "READY=1");

    // A configuration that is not valid is refused; that, too, is over then.
    site.write_config("[no_such_section]\n");
    sensor.signal(Signal::HUP);
    awaited(&socket, "RELOADING=1");
    awaited(&socket, "READY=1");
    assert!(site.folder.read("daemon.log").contains("nothing was reloaded"));

    assert!(sensor.stop() < Duration::from_secs(5));
    awaited(&socket, "STOPPING=1");
}

/// What `CLOCK_MONOTONIC` says.
fn monotonic_usec() -> u128 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills in a structure that is this function's own.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) }, 0);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32).as_micros()
}
