//! Watches a session from another connection while its server works: is it at it, and who is in the way?

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::{Certainty, Hidden, Holder, Look, Onlooker};
use crate::faults::{Seed, is_seeded};

/// The shortest time between two looks.
const PACE_MIN: Duration = Duration::from_millis(50);
/// The longest: so often a server that is at it for hours is asked whether it is.
const PACE_MAX: Duration = Duration::from_secs(15);

/// How closely a session is watched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watching {
    /// How long a statement waits for a lock, if it is worth a look who is in the way.
    pub(super) lock_timeout: Option<Duration>,
    /// How long the server may be silent.
    pub(super) progress_timeout: Duration,
}

impl Watching {
    /// A wait for a lock ends after `lock_timeout`, so that two looks fall into each.
    fn pace(self) -> Duration {
        let silence = (self.progress_timeout / 4).min(PACE_MAX);
        let pace = self.lock_timeout.map_or(silence, |wait| silence.min(wait / 3));
        pace.max(PACE_MIN)
    }
}

/// Looks again and again, and keeps in `seen` whom the last look that showed somebody has shown; `tell` hears of them
/// when they are others than before. Ends only when the server has lost the session or has been silent for too long,
/// and returns which.
pub(super) async fn watch<F>(
    onlooker: Onlooker,
    watching: Watching,
    seen: &mut Vec<Holder>,
    tell: F,
) -> String
where
    F: Fn(&[Holder]),
{
    let mut silent_since = None;
    loop {
        tokio::time::sleep(watching.pace()).await;
        let begun = Instant::now();
        match onlooker.look().await {
            Look::AtIt(holders) => {
                silent_since = None;
                // Somebody who was seen says more than that nobody may be.
                let hides = seen.iter().any(is_seen) && !holders.iter().any(is_seen);
                if !holders.is_empty() && !hides {
                    if pids(&holders) != pids(seen) {
                        tell(&holders);
                    }
                    *seen = holders;
                }
            }
            Look::Gone => return "the server has no such session any more".to_owned(),
            Look::Silent => {
                let since = *silent_since.get_or_insert(begun);
                if since.elapsed() >= watching.progress_timeout && !is_seeded(Seed::SilenceBorne) {
                    return format!("the server has been silent for {} s", since.elapsed().as_secs());
                }
            }
        }
    }
}

fn is_seen(holder: &Holder) -> bool {
    holder.certainty != Certainty::Hidden
}

fn pids(holders: &[Holder]) -> BTreeSet<i64> {
    holders.iter().map(|holder| holder.pid).collect()
}

/// Says in half a sentence who is in the way; empty if nobody was seen.
pub(super) fn words(seen: &[Holder]) -> String {
    let Some(first) = seen.first() else {
        return String::new();
    };
    let others = match seen.len() {
        1 => String::new(),
        many => format!(" and {} more", many - 1),
    };
    let may = match first.certainty {
        Certainty::Holds => "in the way",
        Certainty::MayHold => "perhaps in the way",
        Certainty::Hidden => return words_of_nobody(first),
    };
    let named = |name: &str, value: &str| (!value.is_empty()).then(|| format!("{name}{value}"));
    let known = [
        Some(format!("; {may}: pid {}", first.pid)),
        named("", &first.application),
        named("user ", &first.user),
        named("from ", &first.from),
        named("", &first.state),
    ];
    let known: Vec<String> = known.into_iter().flatten().collect();
    known.join(", ") + &others
}

fn words_of_nobody(holder: &Holder) -> String {
    holder.hidden.as_ref().map_or_else(String::new, |hidden| {
        let Hidden { account, right } = hidden;
        format!("; in the way: no session here that {account} may see, GRANT {right} shows more")
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn watching(lock_timeout: Option<u64>) -> Watching {
        Watching {
            lock_timeout: lock_timeout.map(Duration::from_secs),
            progress_timeout: Duration::from_mins(1),
        }
    }

    /// Shows what `at` says of each look, by its number.
    fn onlooker(at: fn(usize) -> Look) -> Onlooker {
        let looks = Arc::new(AtomicUsize::new(0));
        Onlooker::new(move || {
            let number = looks.fetch_add(1, Ordering::SeqCst);
            async move { at(number) }
        })
    }

    fn holder(pid: i64) -> Holder {
        Holder {
            certainty: Certainty::Holds,
            pid,
            application: "psql".to_owned(),
            user: "app".to_owned(),
            from: "10.0.0.5:40332".to_owned(),
            state: "idle in transaction".to_owned(),
            since: String::new(),
            statement: String::new(),
            hidden: None,
        }
    }

    #[tokio::test]
    async fn whoever_is_in_the_way_is_told_once_and_again_when_it_is_somebody_else() {
        let changes = onlooker(|number| match number {
            0 | 1 => Look::AtIt(vec![holder(7)]),
            2 => Look::AtIt(vec![holder(8), holder(7)]),
            3 => Look::AtIt(vec![holder(7), holder(8)]),
            _ => Look::Gone,
        });
        let told = std::sync::Mutex::new(Vec::new());
        let tell = |holders: &[Holder]| told.lock().unwrap().push(holders.len());
        watch(changes, watching(Some(0)), &mut Vec::new(), tell).await;
        assert_eq!(told.into_inner().unwrap(), [1, 2]);
    }

    #[test]
    fn who_is_in_the_way_is_told_as_far_as_it_is_known() {
        let mut holder = holder(7);
        let all = words(&[holder.clone(), holder.clone()]);
        let expect =
            "; in the way: pid 7, psql, user app, from 10.0.0.5:40332, idle in transaction and 1 more";
        assert_eq!(all, expect);
        holder.application.clear();
        holder.from.clear();
        holder.state.clear();
        assert_eq!(words(&[holder.clone()]), "; in the way: pid 7, user app");
        holder.certainty = Certainty::Hidden;
        holder.hidden = Some(Hidden {
            account: "tenant_a".to_owned(),
            right: "PROCESS".into(),
        });
        assert_eq!(
            words(&[holder]),
            "; in the way: no session here that tenant_a may see, GRANT PROCESS shows more"
        );
    }

    #[test]
    fn a_statement_that_waits_is_looked_at_more_often() {
        assert_eq!(watching(None).pace(), Duration::from_secs(15));
        assert_eq!(watching(Some(3)).pace(), Duration::from_secs(1));
        assert_eq!(watching(Some(3600)).pace(), Duration::from_secs(15));
    }

    #[tokio::test]
    async fn only_a_silence_that_lasts_ends_the_watch() {
        static LOOKS: AtomicUsize = AtomicUsize::new(0);
        let recovers = onlooker(|number| {
            LOOKS.store(number, Ordering::SeqCst);
            match number {
                3 => Look::AtIt(Vec::new()),
                _ => Look::Silent,
            }
        });
        let short = Watching {
            lock_timeout: None,
            progress_timeout: Duration::from_millis(300),
        };
        let why = watch(recovers, short, &mut Vec::new(), |_| {}).await;
        assert!(why.contains("silent"), "{why}");
        // The answer in between begins the time anew.
        assert!(LOOKS.load(Ordering::SeqCst) > 4);
    }

    #[tokio::test]
    async fn a_session_that_is_gone_ends_it_at_once() {
        let soon = watching(Some(0));
        let why = watch(onlooker(|_| Look::Gone), soon, &mut Vec::new(), |_| {}).await;
        assert!(why.contains("no such session"), "{why}");
    }
}
