//! The fence under a connection: no byte leaves after the deadline.
//!
//! It stands below HTTP and TLS, right before the system is asked to send, because both hold bytes back: a process
//! that was stopped in the middle of a body would otherwise send the rest when it wakes up, whatever the clock says
//! by then. What the system had taken before the deadline is thrown away (RST) when the connection is dropped
//! before its call has come to an end.
//!
//! Invariant: outside of a call nothing leaves at all.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};

/// The deadline of the call that a connection serves.
#[derive(Debug, Default)]
pub(super) struct Fence {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Until when bytes may leave; `None` between calls.
    until: Option<Instant>,
    written: u64,
}

impl Fence {
    /// Opens it for a call.
    pub(super) fn open(&self, until: Instant) {
        *self.state() = State { until: Some(until), written: 0 };
    }

    /// The call has come to its end.
    pub(super) fn close(&self) {
        self.state().until = None;
    }

    /// How many bytes have left since it was opened.
    pub(super) fn written(&self) -> u64 {
        self.state().written
    }

    fn is_open(&self) -> bool {
        self.state().until.is_some()
    }

    fn permit(&self) -> io::Result<()> {
        if self.state().until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the deadline of the call has passed"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A way out that can be thrown away.
pub(super) trait Outlet: AsyncRead + AsyncWrite + Unpin {
    /// Lets the system forget what it has taken and not sent.
    fn discard(&mut self);
}

impl Outlet for TcpStream {
    fn discard(&mut self) {
        // If that fails, the connection is gone already.
        let _ = self.set_zero_linger();
    }
}

/// An outlet behind its fence.
pub(super) struct Fenced<S: Outlet> {
    outlet: S,
    fence: Arc<Fence>,
}

impl<S: Outlet> Fenced<S> {
    pub(super) fn new(outlet: S, fence: Arc<Fence>) -> Self {
        Self { outlet, fence }
    }
}

impl<S: Outlet> Drop for Fenced<S> {
    fn drop(&mut self) {
        if self.fence.is_open() {
            self.outlet.discard();
        }
    }
}

impl<S: Outlet> AsyncRead for Fenced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.outlet).poll_read(cx, buf)
    }
}

impl<S: Outlet> AsyncWrite for Fenced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.fence.permit()?;
        let written = Pin::new(&mut self.outlet).poll_write(cx, bytes);
        self.counted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.fence.permit()?;
        let written = Pin::new(&mut self.outlet).poll_write_vectored(cx, bytes);
        self.counted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.outlet.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.outlet).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.outlet).poll_shutdown(cx)
    }
}

impl<S: Outlet> Fenced<S> {
    fn counted(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = &written {
            self.fence.state().written += *count as u64;
        }
        written
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Takes everything, and says in the end what it got and whether it was thrown away.
    struct Taker {
        taken: Arc<Mutex<(Vec<u8>, bool)>>,
    }

    impl Outlet for Taker {
        fn discard(&mut self) {
            self.taken.lock().unwrap().1 = true;
        }
    }

    impl AsyncRead for Taker {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Taker {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.taken.lock().unwrap().0.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn bytes_leave_until_the_deadline_and_not_at_it_or_outside_of_a_call() {
        let taken = Arc::new(Mutex::new((Vec::new(), false)));
        let fence = Arc::new(Fence::default());
        let mut fenced = Fenced::new(Taker { taken: Arc::clone(&taken) }, Arc::clone(&fence));
        assert!(fenced.write(b"before any call").await.is_err());
        fence.open(Instant::now() + Duration::from_secs(60));
        fenced.write_all(b"one").await.unwrap();
        fenced.write_all(b"two").await.unwrap();
        assert_eq!(fence.written(), 6);
        fence.open(Instant::now());
        assert!(fenced.write(b"late").await.is_err());
        let slices = [io::IoSlice::new(b"later")];
        assert!(fenced.write_vectored(&slices).await.is_err());
        assert_eq!(fence.written(), 0);
        fence.close();
        assert!(fenced.write(b"after the call").await.is_err());
        assert_eq!(taken.lock().unwrap().0, b"onetwo");
    }

    #[tokio::test]
    async fn what_is_dropped_within_a_call_is_thrown_away() {
        for (ended, thrown_away) in [(true, false), (false, true)] {
            let taken = Arc::new(Mutex::new((Vec::new(), false)));
            let fence = Arc::new(Fence::default());
            let fenced = Fenced::new(Taker { taken: Arc::clone(&taken) }, Arc::clone(&fence));
            fence.open(Instant::now() + Duration::from_secs(5));
            if ended {
                fence.close();
            }
            drop(fenced);
            assert_eq!(taken.lock().unwrap().1, thrown_away);
        }
    }
}
