//! A connection that breaks at a chosen message: stands between a session and the server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What happens to the chosen message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nothing is cut.
    Never,
    /// Nothing is cut, and nothing is read: TLS.
    Blind,
    /// The server never sees it.
    Before(usize),
    /// The server sees it, and both connections are gone at once.
    During(usize),
    /// The server carries all of it out; the answer is lost.
    After(usize),
}

/// Listens until it is dropped.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    /// How many messages the newest connection has sent behind its log-in.
    pub(super) messages: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    pub(super) async fn start(listen: &str, server: (String, u16), cut: Cut) -> Self {
        let listener = TcpListener::bind(listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let messages = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        let counter = Arc::clone(&messages);
        tasks.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let to = TcpStream::connect((server.0.as_str(), server.1)).await.unwrap();
                carry(client, to, cut, &counter).await;
            }
        });
        Self {
            address,
            messages,
            _tasks: tasks,
        }
    }
}

/// Carries every connection that comes, each with another id in the server's greeting, as some proxies do.
pub(super) async fn renumbering(server: (String, u16)) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut carried = JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            let mut to = TcpStream::connect((server.0.as_str(), server.1)).await.unwrap();
            carried.spawn(async move {
                let mut greeting = vec![0; 4];
                to.read_exact(&mut greeting).await.unwrap();
                let length = u32::from_le_bytes([greeting[0], greeting[1], greeting[2], 0]) as usize;
                greeting.resize(4 + length, 0);
                to.read_exact(&mut greeting[4..]).await.unwrap();
                // Behind the protocol's number and the version, which ends with a zero ("Protocol::HandshakeV10").
                let id = 5 + greeting[5..].iter().position(|byte| *byte == 0).unwrap() + 1;
                greeting[id..id + 4].copy_from_slice(&0x00ff_ff00_u32.to_le_bytes());
                client.write_all(&greeting).await.unwrap();
                let _ended = tokio::io::copy_bidirectional(&mut client, &mut to).await;
            });
        }
    });
    (address, tasks)
}

async fn carry(mut client: TcpStream, mut server: TcpStream, cut: Cut, counter: &AtomicUsize) {
    if cut == Cut::Blind {
        let _ended = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        return;
    }
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    counter.store(0, Ordering::SeqCst);
    let forth = async {
        while let Some((packet, begins)) = packet(&mut from_client).await {
            let number = if begins {
                counter.fetch_add(1, Ordering::SeqCst) + 1
            } else {
                0
            };
            if cut == Cut::Before(number) || to_server.write_all(&packet).await.is_err() {
                return false;
            }
            if [Cut::During(number), Cut::After(number)].contains(&cut) {
                return cut == Cut::After(number);
            }
        }
        false
    };
    let drain = tokio::select! {
        _ended = tokio::io::copy(&mut from_server, &mut to_client) => false,
        drain = forth => drain,
    };
    if drain {
        // The server reads the end only once it has carried the message out.
        drop(to_server);
        let _ended = tokio::io::copy(&mut from_server, &mut tokio::io::sink()).await;
    }
}

/// Reads one packet; a message begins with sequence number 0, which no packet of the log-in has.
async fn packet(from: &mut tokio::net::tcp::OwnedReadHalf) -> Option<(Vec<u8>, bool)> {
    let mut packet = vec![0; 4];
    from.read_exact(&mut packet).await.ok()?;
    let length = u32::from_le_bytes([packet[0], packet[1], packet[2], 0]) as usize;
    let begins = packet[3] == 0;
    packet.resize(4 + length, 0);
    from.read_exact(&mut packet[4..]).await.ok()?;
    Some((packet, begins))
}
