//! A stream that can be cut, and that ends when nothing is heard.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Wraps a connection. After the cut every read and write fails, so that whatever holds the connection lets it go: HTTP
/// libraries keep a connection in tasks of their own, out of reach of a drop.
pub(super) struct Guarded<S> {
    inner: S,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    silence: Duration,
    heard: Instant,
    moved: Arc<Moved>,
    deadline: Pin<Box<Sleep>>,
}

/// Bytes that a stream has carried so far.
#[derive(Debug, Default)]
pub(super) struct Moved {
    read: AtomicU64,
    written: AtomicU64,
}

impl Moved {
    /// Bytes read, and bytes written.
    pub(super) fn so_far(&self) -> (u64, u64) {
        (self.read.load(Ordering::Relaxed), self.written.load(Ordering::Relaxed))
    }

    fn note_written(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.written.fetch_add(*bytes as u64, Ordering::Relaxed);
        }
    }
}

impl<S> Guarded<S> {
    /// Ends when `cut` is cancelled, or when nothing was read for `silence`.
    pub(super) fn new(inner: S, cut: CancellationToken, silence: Duration) -> Self {
        let heard = Instant::now();
        Self {
            inner,
            cut: Box::pin(cut.cancelled_owned()),
            silence,
            heard,
            moved: Arc::default(),
            deadline: Box::pin(sleep_until(heard + silence)),
        }
    }

    /// Counts what is read and written, for whoever wants to know whether anything moves.
    pub(super) fn moved(&self) -> Arc<Moved> {
        self.moved.clone()
    }

    fn check_cut(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was cut")),
            Poll::Pending => Ok(()),
        }
    }

    /// Pending until the silence has lasted too long.
    fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.deadline.as_mut().poll(context));
            let end = self.heard + self.silence;
            if Instant::now() >= end {
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "nothing was heard for too long"));
            }
            self.deadline.as_mut().reset(end);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_cut(context)?;
        let before = buffer.filled().len();
        match Pin::new(&mut self.inner).poll_read(context, buffer) {
            Poll::Ready(Ok(())) => {
                if buffer.filled().len() > before {
                    self.heard = Instant::now();
                    self.moved.read.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_silence(context).map(Err),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check_cut(context)?;
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.moved.note_written(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_cut(context)?;
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, buffers);
        self.moved.note_written(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_cut(context)?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_cut(context)?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test(start_paused = true)]
    async fn silence_ends_a_stream_and_every_byte_starts_it_anew() {
        let (mut far, near) = duplex(64);
        let mut near = Guarded::new(near, CancellationToken::new(), Duration::from_secs(10));
        for _ in 0..3 {
            tokio::time::advance(Duration::from_secs(9)).await;
            far.write_all(b"x").await.unwrap();
            assert_eq!(near.read_u8().await.unwrap(), b'x');
        }
        let begin = Instant::now();
        assert_eq!(near.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(begin.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cut_wakes_a_reader_and_stops_a_writer() {
        let (_far, near) = duplex(64);
        let cut = CancellationToken::new();
        let mut near = Guarded::new(near, cut.clone(), Duration::from_secs(10));
        let reading = tokio::spawn(async move {
            let read = near.read_u8().await.unwrap_err().kind();
            (read, near.write_all(b"x").await.unwrap_err().kind())
        });
        tokio::task::yield_now().await;
        cut.cancel();
        assert_eq!(reading.await.unwrap(), (io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionAborted));
    }
}
