//! axum with one route: `axum-now RESPONSE_FILE` answers `GET /now` with that response.

use axum::Router;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use peers::Answer;

fn main() -> anyhow::Result<()> {
    let answer = Answer::read()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let now = || async move { (answer.headers, answer.body) };
        let listener = peers::listen()?.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        Ok(axum::serve(listener, Router::new().route("/now", get(now))).await?)
    })
}
