//! SQLite: the write lock is the migration lock, and a unit with its history is one transaction.

mod administer;
mod apply;
mod clean;
mod commit;
mod connect;
mod create;
mod database;
mod error;
mod history;
mod holders;
mod orphans;
mod outside;
mod read;
mod record;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

pub(crate) use administer::remove;
pub(crate) use connect::File;
pub(crate) use create::{create_database, describe};
pub(crate) use holders::other_writers;
pub(crate) use read::read;

use database::{Database, Stop};

use super::{
    Amendment, ApplyError, Canceller, Hears, Holder, Onlooker, OpenOptions, Recorded, Session, SessionError,
    SqliteAddress, Unit,
};
use crate::faults::{Point, point};
use crate::history::{History, OpenStatement};

/// Opens a file and takes its write lock, trying for `options.lock_window`; the history is read under it.
///
/// Nothing is written.
pub(crate) async fn open(
    address: &SqliteAddress,
    options: &OpenOptions,
    hears: Hears<'_>,
) -> Result<Box<dyn Session>, SessionError> {
    let (address, wanted) = (address.clone(), options.clone());
    let mut opened = None;
    let place = address.clone();
    let told = || hears(&writers(&place));
    let polled = poll((options.lock_window, &told), move || {
        let mut database = match opened.take() {
            Some(database) => database,
            None => Database::open(&address, &wanted)?,
        };
        point(Point::SqliteOpened);
        if !database.try_lock()? {
            opened = Some(database);
            return Ok(None);
        }
        point(Point::SqliteLocked);
        let history = database.read_history()?;
        point(Point::SqliteHistoryRead);
        Ok(Some((database, history)))
    })
    .await;
    let (database, history) = polled.map_err(|error| name_writers(error, &place))?;
    Ok(Box::new(SqliteSession {
        stop: Arc::clone(&database.stop),
        lock_timeout: options.lock_timeout,
        lock_window: options.lock_window,
        database: Some(database),
        history,
    }))
}

/// Adds who has the file locked to the error of a lock that was not free in time.
fn name_writers(mut error: SessionError, address: &SqliteAddress) -> SessionError {
    if let SessionError::Blocked { holders, .. } = &mut error {
        *holders = writers(address);
    }
    error
}

fn writers(address: &SqliteAddress) -> Vec<Holder> {
    File::find(address).map_or_else(|_| Vec::new(), |file| holders::writers(&file))
}

/// At which refusal it is told who has the file locked: the pauses are short.
const TOLD_AT: usize = 10;

/// Runs blocking work on tokio's threads for it.
async fn in_background<T, W>(work: W) -> Result<T, SessionError>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| SessionError::Lost {
            reason: error.to_string(),
        })
}

/// Repeats an attempt until it returns something, with pauses of 50 to 250 ms, for as long as the window; says once that
/// it has to wait.
async fn poll<T, A>(
    (window, waits): (Duration, &(dyn Fn() + Sync)),
    mut attempt: A,
) -> Result<T, SessionError>
where
    T: Send + 'static,
    A: FnMut() -> Result<Option<T>, SessionError> + Send + 'static,
{
    let (start, mut refusals) = (Instant::now(), 0);
    loop {
        let (result, back) = in_background(move || (attempt(), attempt)).await?;
        attempt = back;
        if let Some(found) = result? {
            return Ok(found);
        }
        let waited = start.elapsed();
        if waited >= window {
            return Err(SessionError::Blocked {
                waited,
                holders: Vec::new(),
            });
        }
        refusals += 1;
        if refusals == TOLD_AT {
            waits();
        }
        tokio::time::sleep(pause().min(window.saturating_sub(waited))).await;
    }
}

/// Returns a pause that differs from one waiting session to the next.
fn pause() -> Duration {
    // Without random numbers all wait alike, which is slower and not wrong.
    let random = getrandom::u32().unwrap_or(100);
    Duration::from_millis(50 + u64::from(random % 200))
}

/// A connection to one file.
struct SqliteSession {
    /// `None` after a failure that only closing the connection could end.
    database: Option<Database>,
    history: History,
    stop: Arc<Stop>,
    lock_timeout: Duration,
    lock_window: Duration,
}

/// Stops the work in the background when the call that waits for it is dropped.
struct StopOnDrop(Option<Arc<Stop>>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Some(stop) = &self.0 {
            stop.ask();
        }
    }
}

impl SqliteSession {
    /// Works on the file in the background, under its lock.
    async fn in_file<T, W>(&mut self, work: W) -> Result<T, ApplyError>
    where
        T: Send + 'static,
        W: FnOnce(&mut Database) -> Result<T, ApplyError> + Send + 'static,
    {
        let lost = |source| ApplyError::Session {
            commit_sent: false,
            source,
        };
        let Some(database) = self.database.take() else {
            return Err(lost(SessionError::Lost {
                reason: "the file was closed after a failure".to_owned(),
            }));
        };
        self.stop.forget();
        let mut guard = StopOnDrop(Some(Arc::clone(&self.stop)));
        let mut held = Some((database, work));
        let attempt = poll((self.lock_window, &|| {}), move || {
            let Some((mut database, work)) = held.take() else {
                return Ok(None);
            };
            if !database.try_lock()? {
                held = Some((database, work));
                return Ok(None);
            }
            let result = work(&mut database);
            Ok(Some((database, result)))
        });
        let outcome = attempt.await;
        guard.0 = None;
        let (database, result) = outcome.map_err(|source| ApplyError::Session {
            // The thread that did the work is gone, and with it the knowledge how far it came.
            commit_sent: matches!(source, SessionError::Lost { .. }),
            source,
        })?;
        self.database = Some(database).filter(|database| !database.is_locked());
        result
    }
}

#[async_trait]
impl Session for SqliteSession {
    fn history(&self) -> &History {
        &self.history
    }

    async fn carry_out(&mut self, unit: &Unit) -> Result<Vec<Recorded>, ApplyError> {
        let unit = unit.clone();
        self.in_file(move |database| apply::carry_out(database, &unit))
            .await
    }

    async fn open_statement(&mut self, unit: &Unit) -> Result<Option<OpenStatement>, ApplyError> {
        outside::open_statement(unit)
    }

    async fn amend(&mut self, amendment: &Amendment) -> Result<(), ApplyError> {
        let begun = Instant::now();
        loop {
            let declared = amendment.clone();
            let ended = self
                .in_file(move |database| apply::amend(database, &declared))
                .await;
            match ended {
                Err(error) if commit::is_delayed(&error) && begun.elapsed() < self.lock_window => {
                    tokio::time::sleep(self.lock_timeout + pause()).await;
                }
                ended => return ended,
            }
        }
    }

    fn canceller(&self) -> Canceller {
        let stop = Arc::clone(&self.stop);
        Canceller::new(move || {
            let stop = Arc::clone(&stop);
            async move { stop.ask() }
        })
    }

    fn onlooker(&self) -> Onlooker {
        Onlooker::blind()
    }
}
