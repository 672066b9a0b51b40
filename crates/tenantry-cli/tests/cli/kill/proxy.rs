//! A connection that breaks behind a chosen byte: stands between a session and its server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Which of the two streams of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    ToServer,
    ToClient,
}

/// Where the connection breaks: both sides lose it at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) way: Way,
    /// So many bytes of that stream still arrive.
    pub(super) after: usize,
}

/// Listens until it is dropped.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    carried: Arc<Carried>,
    _tasks: JoinSet<()>,
}

/// How many bytes have arrived, over all connections.
#[derive(Default)]
struct Carried {
    to_server: AtomicUsize,
    to_client: AtomicUsize,
}

impl Carried {
    fn on(&self, way: Way) -> &AtomicUsize {
        match way {
            Way::ToServer => &self.to_server,
            Way::ToClient => &self.to_client,
        }
    }
}

impl Proxy {
    /// Stands before a server; without a cut it only counts.
    pub(super) async fn start(server: (String, u16), cut: Option<Cut>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let carried = Arc::new(Carried::default());
        let mut tasks = JoinSet::new();
        let counts = Arc::clone(&carried);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect((server.0.as_str(), server.1)).await.unwrap();
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                connections.spawn(carry(client, server, cut, Arc::clone(&counts)));
            }
        });
        Self {
            address,
            carried,
            _tasks: tasks,
        }
    }

    /// Returns how many bytes have arrived on one way.
    pub(super) fn carried(&self, way: Way) -> usize {
        self.carried.on(way).load(Ordering::SeqCst)
    }
}

async fn carry(client: TcpStream, server: TcpStream, cut: Option<Cut>, carried: Arc<Carried>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let most = |way| cut.filter(|cut| cut.way == way).map(|cut| cut.after);
    tokio::select! {
        () = forward(from_client, to_server, most(Way::ToServer), carried.on(Way::ToServer)) => {}
        () = forward(from_server, to_client, most(Way::ToClient), carried.on(Way::ToClient)) => {}
    }
}

/// Forwards until one side ends or `most` bytes have arrived.
async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    most: Option<usize>,
    carried: &AtomicUsize,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let before = carried.load(Ordering::SeqCst);
        let left = most.map_or(usize::MAX, |most| most.saturating_sub(before));
        if left == 0 {
            return;
        }
        let Ok(read @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let passed = read.min(left);
        if to.write_all(&buffer[..passed]).await.is_err() {
            return;
        }
        carried.store(before + passed, Ordering::SeqCst);
    }
}
