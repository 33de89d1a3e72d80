//! Connections to the metrics: so many at once, and none that is held open for nothing.
//!
//! A listener in, one for `axum::serve` out. Whoever comes while there is no room waits in the kernel's queue. A connection on which
//! nothing was answered for too long, be it for want of a request or of somebody who takes the answer, fails as if its peer had
//! gone: so nobody keeps others out for longer than that.

use axum::serve::Listener;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

pub struct Visitors {
    listener: TcpListener,
    room: Arc<Semaphore>,
    visit: Duration,
}

impl Visitors {
    pub fn of(listener: TcpListener, most: usize, visit: Duration) -> Visitors {
        Visitors { listener, room: Arc::new(Semaphore::new(most)), visit }
    }
}

impl Listener for Visitors {
    type Io = Visitor;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visitor, SocketAddr) {
        // It is never closed.
        let permit = Arc::clone(&self.room).acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let visit = self.visit;
        (Visitor { stream, visit, until: Box::pin(sleep(visit)), _permit: permit }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One connection.
pub struct Visitor {
    stream: TcpStream,
    visit: Duration,
    until: Pin<Box<Sleep>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl AsyncRead for Visitor {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match Pin::new(&mut this.stream).poll_read(context, into) {
            Poll::Pending => this.until.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into())),
            read => read,
        }
    }
}

impl AsyncWrite for Visitor {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        match Pin::new(&mut this.stream).poll_write(context, bytes) {
            Poll::Pending => this.until.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into())),
            written => {
                this.until.as_mut().reset(Instant::now() + this.visit);
                written
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn who_asks_nothing_makes_room_for_others() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let visitors = Visitors::of(listener, 2, Duration::from_millis(200));
            tokio::spawn(async { axum::serve(visitors, Router::new().route("/", get(async || "ok"))).await });
            let mut silent = Vec::new();
            for _ in 0..4 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
                silent.push(stream);
            }
            let mut asks = TcpStream::connect(address).await.unwrap();
            asks.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            let read = asks.read_to_string(&mut answer);
            tokio::time::timeout(Duration::from_secs(20), read).await.unwrap().unwrap();
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"), "{answer}");
        });
    }
}
