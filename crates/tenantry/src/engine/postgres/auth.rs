//! Watches a login: refuses a server that asks for the password in clear text or as MD5, before the driver
//! answers it, and notes the process that the server names.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// The words of the error; the connect code recognises it by them.
pub(super) const REFUSED: &str = "the server asked for the password in a form that others can read";

/// Authentication requests of the protocol ("Message Formats": `AuthenticationCleartextPassword` = 3,
/// `AuthenticationMD5Password` = 5, `AuthenticationOk` = 0).
const CLEAR_TEXT: i32 = 3;
const MD5: i32 = 5;
const OK: i32 = 0;

/// The process that a server named at login (`BackendKeyData`); 0 until it has. The driver keeps it to itself.
pub(super) type NamedBackend = Arc<AtomicI32>;

/// A stream to a server that is watched until the server takes queries.
#[derive(Debug)]
pub(super) struct Guarded<S> {
    inner: S,
    /// `None` once the server takes queries.
    scan: Option<Scan>,
}

/// Where the scan stands in the server's messages: header bytes seen, then body bytes to skip.
#[derive(Debug, Default)]
struct Scan {
    /// Tag, length and, where it is wanted, the first number of the body: at most 9 bytes.
    head: Vec<u8>,
    /// Bytes of the present message that still come after its head.
    skip: usize,
    /// Whether the server has accepted the login.
    is_accepted: bool,
    backend: NamedBackend,
}

impl<S> Guarded<S> {
    pub(super) fn new(inner: S, backend: NamedBackend) -> Self {
        Self {
            inner,
            scan: Some(Scan {
                backend,
                ..Scan::default()
            }),
        }
    }
}

impl Scan {
    /// Looks at newly read bytes; returns whether the server takes queries now (`ReadyForQuery`).
    fn feed(&mut self, mut bytes: &[u8]) -> io::Result<bool> {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let passed = self.skip.min(bytes.len());
                self.skip -= passed;
                bytes = bytes.get(passed..).unwrap_or_default();
                continue;
            }
            let (first, rest) = bytes.split_at(1);
            self.head.extend_from_slice(first);
            bytes = rest;
            if self.finish_head()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn finish_head(&mut self) -> io::Result<bool> {
        let [tag, length @ ..] = self.head.as_slice() else {
            return Ok(false);
        };
        let Some((length, number)) = length.split_first_chunk::<4>() else {
            return Ok(false);
        };
        let (tag, length) = (*tag, usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0));
        if length < 8 || !matches!(tag, b'R' | b'K') {
            self.skip = length.saturating_sub(4);
            self.head.clear();
            return Ok(tag == b'Z');
        }
        let Some(number) = number.first_chunk::<4>() else {
            return Ok(false);
        };
        let number = i32::from_be_bytes(*number);
        self.skip = length - 8;
        self.head.clear();
        self.take(tag, number)
    }

    /// Takes the first number of a message: the kind of a request, or the process (`BackendKeyData`).
    fn take(&mut self, tag: u8, number: i32) -> io::Result<bool> {
        if tag == b'K' {
            self.backend.store(number, Ordering::SeqCst);
        } else if !self.is_accepted {
            if matches!(number, CLEAR_TEXT | MD5) {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, REFUSED));
            }
            self.is_accepted = number == OK;
        }
        Ok(false)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if let Some(scan) = &mut self.scan {
            let through = scan.feed(buf.filled().get(before..).unwrap_or_default())?;
            if through {
                self.scan = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Guarded<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.inner.channel_binding()
    }
}

/// A TLS connector whose stream is guarded inside the encryption.
pub(super) struct GuardedTls<T>(pub(super) T, pub(super) NamedBackend);

impl<S, T> TlsConnect<S> for GuardedTls<T>
where
    T: TlsConnect<S>,
    T::Future: Send + 'static,
{
    type Stream = Guarded<T::Stream>;
    type Error = T::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, Self::Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let (handshake, backend) = (self.0.connect(stream), self.1);
        Box::pin(async move { handshake.await.map(|stream| Guarded::new(stream, backend)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: i32, body: &[u8]) -> Vec<u8> {
        let mut message = vec![b'R'];
        message.extend(i32::try_from(8 + body.len()).unwrap().to_be_bytes());
        message.extend(kind.to_be_bytes());
        message.extend(body);
        message
    }

    #[test]
    fn a_request_for_a_readable_password_is_refused_in_any_fragmentation() {
        for kind in [CLEAR_TEXT, MD5] {
            for size in 1..9 {
                let mut scan = Scan::default();
                let message = request(kind, b"salt");
                let refused = message.chunks(size).any(|piece| scan.feed(piece).is_err());
                assert!(refused, "kind {kind} in pieces of {size}");
            }
        }
    }

    #[test]
    fn a_notice_that_looks_like_a_request_is_passed_over() {
        let mut scan = Scan::default();
        let inner = request(CLEAR_TEXT, b"");
        let mut notice = vec![b'N'];
        notice.extend(i32::try_from(4 + inner.len()).unwrap().to_be_bytes());
        notice.extend(inner);
        assert!(!scan.feed(&notice).unwrap());
        assert!(!scan.feed(&request(10, b"SCRAM-SHA-256\0\0")).unwrap());
        assert!(!scan.feed(&request(OK, b"")).unwrap());
        assert!(scan.is_accepted);
    }

    #[test]
    fn the_process_that_the_server_names_is_noted_in_any_fragmentation() {
        let mut key = vec![b'K'];
        key.extend(12_i32.to_be_bytes());
        key.extend(4767_i32.to_be_bytes());
        key.extend([0; 4]);
        let ready = b"Z\0\0\0\x05I";
        for size in 1..9 {
            let mut scan = Scan::default();
            let login = [&request(OK, b"")[..], &key, ready].concat();
            let ends: Vec<bool> = login
                .chunks(size)
                .map(|piece| scan.feed(piece).unwrap())
                .collect();
            assert!(ends.contains(&true), "in pieces of {size}");
            assert_eq!(scan.backend.load(Ordering::SeqCst), 4767);
        }
    }
}
