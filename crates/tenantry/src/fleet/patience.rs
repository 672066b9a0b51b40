//! How long an answer of the registry is waited for: an open connection whose other end is gone never gives one.

use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;

use crate::registry::RegistryError;

/// Waits so long for what the registry at `endpoint` answers.
///
/// # Errors
/// [`RegistryError::Unreachable`] if it does not; what it says.
pub(super) async fn within<T>(
    time: Duration,
    endpoint: &str,
    answer: impl Future<Output = Result<T, RegistryError>>,
) -> Result<T, RegistryError> {
    timeout(time, answer).await.unwrap_or_else(|_| {
        Err(RegistryError::Unreachable {
            endpoint: endpoint.to_owned(),
            reason: format!("no answer within {} s", time.as_secs()),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_says_nothing_is_not_waited_for_for_ever() {
        let time = Duration::from_millis(5);
        let silent = std::future::pending::<Result<(), RegistryError>>();
        let error = within(time, "db:5432", silent).await.unwrap_err();
        assert!(matches!(error, RegistryError::Unreachable { .. }), "{error:?}");
        assert!(within(time, "db:5432", async { Ok(()) }).await.is_ok());
    }
}
