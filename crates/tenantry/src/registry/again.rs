//! Transactions that are tried again: a deadlock ends one of two that both did nothing wrong.

use std::time::Duration;

use tokio::time::sleep;

use super::RegistryError;

/// How often a transaction is tried.
const TRIES: u32 = 6;
/// The longest pause before the first of these that is another one; it doubles.
const PAUSE: Duration = Duration::from_millis(20);

/// Carries a transaction out, again where the database ended it for another's sake: nothing of it was kept then.
///
/// # Errors
/// What it says at last, and at once whatever would be no other a moment later.
pub(super) async fn again<T>(
    mut transaction: impl AsyncFnMut() -> Result<T, RegistryError>,
) -> Result<T, RegistryError> {
    for tried in 0..TRIES - 1 {
        match transaction().await {
            Err(RegistryError::Database(error)) if error.transient => {
                tracing::debug!(message = %error.message, "a transaction is tried again");
                let chance = getrandom::u32().unwrap_or(u32::MAX / 2);
                let share = f64::from(chance) / f64::from(u32::MAX);
                sleep((PAUSE * 2_u32.pow(tried)).mul_f64(share)).await;
            }
            done => return done,
        }
    }
    transaction().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;
    use crate::engine::DatabaseError;

    fn error(code: &str) -> RegistryError {
        RegistryError::Database(DatabaseError {
            message: String::new(),
            code: code.to_owned(),
            detail: None,
            hint: None,
            class: Code(6012),
            transient: code == DEADLOCK,
        })
    }

    const DEADLOCK: &str = "errno 1213";

    async fn tries(fails: u32, code: &str) -> (u32, bool) {
        let mut tries = 0;
        let done = again(async || {
            tries += 1;
            if tries > fails { Ok(()) } else { Err(error(code)) }
        })
        .await;
        (tries, done.is_ok())
    }

    #[tokio::test]
    async fn what_passes_is_tried_again_and_what_does_not_is_not() {
        assert_eq!(tries(0, DEADLOCK).await, (1, true));
        assert_eq!(tries(3, DEADLOCK).await, (4, true));
        assert_eq!(tries(99, DEADLOCK).await, (TRIES, false));
        assert_eq!(tries(99, "errno 1064").await, (1, false));
    }
}
