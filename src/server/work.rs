//! How a request waits for the disk: on threads that may wait, and no longer than it may take. What changes the store waits
//! for its turn first, where it can still be refused; once it has begun, its own outcome is the answer.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use super::app::App;
use super::errors::ApiError;
use super::extract::Asked;

/// Asks the disk for something.
///
/// # Errors
/// What the work says; [`ApiError::TOO_SLOW`].
pub(super) async fn read<T: Send + 'static>(
    app: &Arc<App>,
    asked: &Asked,
    work: impl FnOnce(&App) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let app = app.clone();
    timeout_at(asked.deadline, blocking(move || work(&app))).await.unwrap_or(Err(ApiError::TOO_SLOW))
}

/// Looks for an instance's dumps.
///
/// # Errors
/// What the work says; [`ApiError::TOO_SLOW`].
pub(super) async fn look<T: Send + 'static>(
    app: &Arc<App>,
    asked: &Asked,
    work: impl FnOnce(&App) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let looking = timeout_at(asked.deadline, app.lookups.clone().acquire_owned()).await;
    let Ok(Ok(looking)) = looking else { return Err(ApiError::TOO_SLOW) };
    read(app, asked, move |app| {
        let _looking = looking;
        work(app)
    })
    .await
}

/// Changes the store. What is answered as too slow has not been done, and will not be.
///
/// # Errors
/// What the work says; [`ApiError::TOO_SLOW`].
pub(super) async fn write<T: Send + 'static>(
    app: &Arc<App>,
    asked: &Asked,
    work: impl FnOnce(&App) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let writing = timeout_at(asked.deadline, app.writer.clone().acquire_owned()).await;
    let Ok(Ok(writing)) = writing else { return Err(ApiError::TOO_SLOW) };
    if Instant::now() >= asked.deadline {
        return Err(ApiError::TOO_SLOW);
    }
    let app = app.clone();
    blocking(move || {
        let _writing = writing;
        work(&app)
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let span = tracing::Span::current();
    let done = tokio::task::spawn_blocking(move || span.in_scope(work)).await;
    done.unwrap_or_else(|error| {
        tracing::error!(%error, "a request broke off");
        Err(ApiError::INTERNAL)
    })
}
