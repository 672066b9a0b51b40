//! Asks a server to stop what one of its sessions does, and goes when the server has heard it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::{CancelToken, NoTls};

use super::connect::{connector, dial};
use super::error::root_cause;
use crate::engine::{NetworkAddress, SessionError};

/// Asks on a connection of its own. Returns when the other side has closed that one: the request has reached the
/// server then. How long that takes, the caller bounds.
pub(super) async fn ask(token: CancelToken, address: &NetworkAddress) -> Result<(), SessionError> {
    let stream = dial(address).await?;
    let asked = match connector(address)? {
        None => token.cancel_query_raw(Patient(stream), NoTls).await,
        Some(tls) => token.cancel_query_raw(stream, PatientTls(tls)).await,
    };
    asked.map_err(|error| SessionError::Lost {
        reason: root_cause(&error),
    })
}

/// A stream that is shut down by the other side: our own shutdown waits for that.
///
/// A pooler opens a connection to the server before it passes a request on. To `PgBouncer` a client that shuts down
/// until then has given up: the request is dropped, and 1.18 may die of it.
#[derive(Debug)]
struct Patient<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut bytes = [0; 64];
            let mut rest = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(&mut self.0).poll_read(cx, &mut rest));
            // A server's process that is done is gone, over TLS without a farewell. Nobody is left to take ours.
            if read.is_err() || rest.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: TlsStream + Unpin> TlsStream for Patient<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.0.channel_binding()
    }
}

/// A TLS connector whose stream is patient outside the encryption: the farewell of TLS (`close_notify`) is an end
/// to the other side, too.
struct PatientTls<T>(T);

impl<S, T> TlsConnect<S> for PatientTls<T>
where
    T: TlsConnect<S>,
    T::Future: Send + 'static,
{
    type Stream = Patient<T::Stream>;
    type Error = T::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, Self::Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let handshake = self.0.connect(stream);
        Box::pin(async move { handshake.await.map(Patient) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn the_other_side_sees_no_end_before_it_has_closed() {
        let (ours, mut theirs) = duplex(64);
        let mut ours = Patient(ours);
        let shutdown = async {
            ours.write_all(b"stop").await.unwrap();
            ours.shutdown().await.unwrap();
        };
        let server = async {
            let mut request = [0; 4];
            theirs.read_exact(&mut request).await.unwrap();
            theirs.write_all(&[1; 200]).await.unwrap();
            let end = tokio::time::timeout(Duration::from_millis(100), theirs.read(&mut request)).await;
            assert!(end.is_err(), "{end:?}");
            drop(theirs);
        };
        tokio::join!(shutdown, server);
    }
}
