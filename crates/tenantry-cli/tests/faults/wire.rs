//! A way to a server on which nothing moves while it is silent; connections are still accepted.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use crate::database::TestServer;

/// The way. Its threads live as long as the process.
pub(crate) struct Wire {
    pub(crate) port: u16,
    silence: Arc<Silence>,
}

#[derive(Default)]
struct Silence {
    is_on: Mutex<bool>,
    changed: Condvar,
}

impl Silence {
    /// Waits until it is over.
    fn pass(&self) {
        let is_on = self.is_on.lock().unwrap();
        drop(self.changed.wait_while(is_on, |is_on| *is_on).unwrap());
    }
}

impl Wire {
    pub(crate) fn to(server: &TestServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let silence = Arc::new(Silence::default());
        let (heard, to) = (Arc::clone(&silence), (server.host.clone(), server.port));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&to).unwrap());
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let heard = Arc::clone(&heard);
                    std::thread::spawn(move || carry(from, to, &heard));
                }
            }
        });
        Self { port, silence }
    }

    pub(crate) fn falls_silent(&self) {
        *self.silence.is_on.lock().unwrap() = true;
    }

    /// What was held back moves on.
    pub(crate) fn speaks_again(&self) {
        *self.silence.is_on.lock().unwrap() = false;
        self.silence.changed.notify_all();
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, silence: &Silence) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        silence.pass();
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    // The other side may have ended both ways before.
    drop(to.shutdown(Shutdown::Both));
}
