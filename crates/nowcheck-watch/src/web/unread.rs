//! What a client still sends when its answer is ready.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

/// The most that is read for nothing, in bytes.
const MOST: usize = 256 * 1024;

/// How long it is read for nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reads the rest of a body, and forgets it.
///
/// A connection that is closed while something unread is in it is reset. The client then gets no answer at all, or an
/// error when it sends on (RFC 9112 section 9.6).
pub(super) async fn discard(body: &mut Incoming) {
    let rest = async {
        let mut rest = Limited::new(body, MOST);
        while let Some(Ok(_)) = rest.frame().await {}
    };
    // Who sends more, or more slowly, may lose the answer.
    let _ = tokio::time::timeout(PATIENCE, rest).await;
}
