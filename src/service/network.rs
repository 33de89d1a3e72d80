//! The network side: control socket, metrics and health for whoever asks, Graphite, signals to reload.
//!
//! One thread of tokio. What takes long is done on threads that tokio keeps for it; nothing here can hold up the path of
//! the packets. Bounded: a request line of 64 KiB, 32 connections to the socket at once, two seconds to ask
//! and ten to take the answer; as many connections to the metrics, each with a minute and a quarter for a request and its answer.

use super::metrics::{families, prometheus_text};
use super::visitors::Visitors;
use super::{Daemon, ServiceError, control, graphite};
use crate::config::Config;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{error, info, warn};

const MAX_REQUEST: u64 = 64 << 10;
const MAX_CONNECTIONS: usize = 32;
/// A line of JSON is sent at once: who says nothing does not keep others waiting for long.
const REQUEST_TIME: Duration = Duration::from_secs(2);
const REPLY_TIME: Duration = Duration::from_secs(10);
/// How long a connection to the metrics may take for a request and its answer, and stay open for the next: scrapes come once a minute
/// at most places.
const VISIT: Duration = Duration::from_secs(75);
const GRAPHITE_TIME: Duration = Duration::from_secs(5);
/// A judge that has not ended a window for so long hangs: with a clock that was set back by a minute it may take as long.
const HEALTHY: Duration = Duration::from_secs(90);

pub struct Network {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    socket: Option<PathBuf>,
}

impl Network {
    pub fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            warn!("the network thread ended unexpectedly");
        }
        if let Some(socket) = self.socket {
            let _ = std::fs::remove_file(socket); // the next start removes one that is left
        }
    }
}

/// Opens what the configuration asks for, and serves it until stopped.
pub fn start(daemon: &Arc<Daemon>, config: &Config) -> Result<Network, ServiceError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(8).build()?;
    let _entered = runtime.enter();
    let metrics = config.metrics.listen.map(|address| listen(address, &runtime)).transpose()?;
    let control = config.service.socket.as_deref().map(bind).transpose()?;
    let hangup = signal(SignalKind::hangup())?;
    let reopen = signal(SignalKind::user_defined1())?;
    let (stop, stopped) = oneshot::channel();
    let (daemon, settings) = (Arc::clone(daemon), config.metrics.clone());
    let thread = std::thread::Builder::new().name("network".to_owned()).spawn(move || {
        runtime.block_on(async move {
            if let Some(listener) = metrics {
                tokio::spawn(serve_metrics(listener, Arc::clone(&daemon)));
            }
            if let Some(listener) = control {
                tokio::spawn(serve_control(listener, Arc::clone(&daemon)));
            }
            if let Some(address) = settings.graphite {
                let (prefix, every) = (settings.graphite_prefix, settings.graphite_interval);
                tokio::spawn(push(address, prefix, every, Arc::clone(&daemon)));
            }
            tokio::spawn(reload_when_told(hangup, Arc::clone(&daemon)));
            tokio::spawn(reopen_when_told(reopen, daemon));
            let _ = stopped.await; // an error is the same: nobody can stop it any more
        });
        runtime.shutdown_timeout(Duration::from_millis(200));
    })?;
    Ok(Network { stop, thread, socket: config.service.socket.clone() })
}

fn listen(address: SocketAddr, runtime: &tokio::runtime::Runtime) -> Result<TcpListener, ServiceError> {
    runtime.block_on(TcpListener::bind(address)).map_err(|error| {
        ServiceError::Network(format!(
            "{address}: cannot be listened on for metrics: {error}; set `metrics.listen` to another address, or to \"\""
        ))
    })
}

/// A socket that is left of a daemon that was killed is removed; one that answers is not.
fn bind(path: &Path) -> Result<UnixListener, ServiceError> {
    let failed = |error: io::Error| {
        ServiceError::Network(format!(
            "{}: the control socket cannot be made: {error}; set `service.socket` to a path that apitap may write, or to \
             \"\"",
            path.display()
        ))
    };
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(ServiceError::Network(format!(
            "{}: another apitap answers on the control socket; stop it, or give each a socket of its own",
            path.display()
        )));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(failed)?;
    Ok(listener)
}

async fn serve_metrics(listener: TcpListener, daemon: Arc<Daemon>) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(daemon);
    if let Err(error) = axum::serve(Visitors::of(listener, MAX_CONNECTIONS, VISIT), router).await {
        error!("metrics are no longer served: {error}");
    }
}

async fn metrics(State(daemon): State<Arc<Daemon>>) -> impl IntoResponse {
    let text = tokio::task::spawn_blocking(move || prometheus_text(&families(&daemon))).await;
    match text {
        Ok(text) => (StatusCode::OK, [("content-type", "text/plain; version=0.0.4; charset=utf-8")], text),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, [("content-type", "text/plain")], String::new()),
    }
}

/// Alive: windows are being judged, or no frame ever came.
async fn healthz(State(daemon): State<Arc<Daemon>>) -> (StatusCode, &'static str) {
    let judged = daemon.board.judged();
    match judged.at {
        Some(at) if at.elapsed() > HEALTHY => (StatusCode::SERVICE_UNAVAILABLE, "no window was judged for 90 s\n"),
        _ => (StatusCode::OK, "ok\n"),
    }
}

/// Ready: frames come, from everything that was named, and nothing is left out.
async fn readyz(State(daemon): State<Arc<Daemon>>) -> (StatusCode, &'static str) {
    let reading = daemon.board.reading();
    let not_ready = |why| (StatusCode::SERVICE_UNAVAILABLE, why);
    if reading.newest.is_none() {
        return not_ready("no frame has come yet\n");
    }
    if reading.interfaces.iter().any(|interface| !interface.is_open) {
        return not_ready("an interface is gone\n");
    }
    if !reading.shedding.is_none() {
        return not_ready("too much comes: something is left out\n");
    }
    (StatusCode::OK, "ready\n")
}

async fn serve_control(listener: UnixListener, daemon: Arc<Daemon>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let daemon = Arc::clone(&daemon);
                tokio::spawn(async move {
                    let _ = converse(stream, daemon).await; // who hangs up gets no answer
                    drop(permit);
                });
            }
            Err(error) => {
                warn!("the control socket: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await; // out of descriptors, most likely
            }
        }
    }
}

async fn converse(mut stream: UnixStream, daemon: Arc<Daemon>) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut line = Vec::new();
    timeout(REQUEST_TIME, BufReader::new(reader.take(MAX_REQUEST)).read_until(b'\n', &mut line)).await??;
    let reply = tokio::task::spawn_blocking(move || control::answer(&daemon, &line)).await?;
    timeout(REPLY_TIME, writer.write_all(&reply)).await?
}

async fn push(address: String, prefix: String, every: Duration, daemon: Arc<Daemon>) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_failing = false;
    loop {
        ticks.tick().await;
        let (daemon, prefix) = (Arc::clone(&daemon), prefix.clone());
        let made = tokio::task::spawn_blocking(move || {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            graphite::lines(&prefix, &families(&daemon), now.as_secs())
        });
        let Ok(lines) = made.await else { continue };
        let sent =
            timeout(GRAPHITE_TIME, async { TcpStream::connect(&address).await?.write_all(lines.as_bytes()).await });
        let result = sent.await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
        match &result {
            Ok(()) if is_failing => info!("graphite at {address} takes figures again"),
            Err(error) if !is_failing => warn!("graphite at {address} cannot be reached: {error}; trying again"),
            _ => {}
        }
        is_failing = result.is_err();
    }
}

async fn reload_when_told(mut hangup: tokio::signal::unix::Signal, daemon: Arc<Daemon>) {
    while hangup.recv().await.is_some() {
        let _ = sd_notify::notify(&[
            sd_notify::NotifyState::Reloading,
            sd_notify::NotifyState::monotonic_usec_now().unwrap_or(sd_notify::NotifyState::MonotonicUsec(0)),
        ]); // without systemd there is nobody to tell
        let daemon = Arc::clone(&daemon);
        match tokio::task::spawn_blocking(move || daemon.reload()).await {
            Ok(Ok(said)) => info!("reloaded: {said}"),
            Ok(Err(error)) => error!("nothing was reloaded, what was in force stays so: {error}"),
            Err(_) => error!("reloading ended unexpectedly; what was in force stays so"),
        }
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]); // without systemd there is nobody to tell
    }
}

async fn reopen_when_told(mut reopen: tokio::signal::unix::Signal, daemon: Arc<Daemon>) {
    while reopen.recv().await.is_some() {
        let daemon = Arc::clone(&daemon);
        let _ = tokio::task::spawn_blocking(move || daemon.sinks.reopen()).await; // a panic has been said
    }
}
