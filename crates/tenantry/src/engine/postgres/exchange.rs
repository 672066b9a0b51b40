//! Sends one message and reads its answer to the end.

use futures_util::TryStreamExt as _;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::connect::Connection;
use super::error::Failure;

/// The answer to a message: rows, and how far it came if it failed.
#[derive(Debug)]
pub(super) struct Answer {
    /// How many statements were completed: also the index of the failed one.
    pub(super) completed: usize,
    /// Why it stopped; `None` if it went through.
    pub(super) failure: Option<Failure>,
}

impl Connection {
    /// Sends a message; `take` gets the rows of every statement as they come, and how many statements were
    /// completed before.
    pub(super) async fn exchange<F>(&mut self, text: &str, mut take: F) -> Answer
    where
        F: FnMut(usize, &SimpleQueryRow),
    {
        let mut completed = 0;
        self.in_flight = true;
        let result = async {
            let mut stream = std::pin::pin!(self.client.simple_query_raw(text).await?);
            while let Some(message) = stream.try_next().await? {
                if let SimpleQueryMessage::Row(row) = &message {
                    take(completed, row);
                } else if let SimpleQueryMessage::CommandComplete(_) = message {
                    completed += 1;
                }
            }
            Ok(())
        }
        .await;
        self.in_flight = false;
        Answer {
            completed,
            failure: result
                .err()
                .map(|error: tokio_postgres::Error| Failure::of(&error)),
        }
    }

    /// Sends a message and returns the columns of the first row that comes; `None` if there is none.
    pub(super) async fn first_row(&mut self, text: &str) -> Result<Option<Vec<Option<String>>>, Failure> {
        let mut first = None;
        let answer = self
            .exchange(text, |_, row| {
                first.get_or_insert_with(|| {
                    let columns = 0..row.len();
                    columns.map(|at| row.get(at).map(ToOwned::to_owned)).collect()
                });
            })
            .await;
        answer.failure.map_or(Ok(first), Err)
    }
}
