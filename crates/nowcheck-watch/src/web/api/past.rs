//! Reads the history for an answer, on a thread that may wait for the disk.

use http::StatusCode;

use crate::history::{HistoryError, HistoryReader};
use crate::web::Served;
use crate::web::respond::{Reply, problem};

/// What a reader finds. A history that nobody has written yet is empty.
///
/// # Errors
/// A problem that says why it cannot be read.
pub(super) async fn read<T: Default + Send + 'static>(
    served: &Served,
    read: impl FnOnce(&HistoryReader) -> Result<T, HistoryError> + Send + 'static,
) -> Result<T, Box<Reply>> {
    let history = served.results.history().clone();
    let turn = history.turn().await;
    let reading = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        read(&history.reader()?)
    });
    let found = reading.await;
    let why = match found {
        Ok(Ok(found)) => return Ok(found),
        Ok(Err(HistoryError::NoFile { .. })) => return Ok(T::default()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the history cannot be read".to_owned(),
    };
    Err(Box::new(problem(StatusCode::SERVICE_UNAVAILABLE, &why)))
}
