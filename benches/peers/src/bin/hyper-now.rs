//! hyper without a framework: `hyper-now RESPONSE_FILE` answers every request with that response.

use std::convert::Infallible;

use http_body_util::Full;
use hyper::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use peers::Answer;

fn main() -> anyhow::Result<()> {
    let answer = Answer::read()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = peers::listen()?;
        loop {
            // A peer that is gone again before it was accepted is no reason to stop.
            let Ok((connection, _)) = listener.accept().await else { continue };
            connection.set_nodelay(true)?;
            let answer = answer.clone();
            let service = service_fn(move |_| {
                let Answer { headers, body } = answer.clone();
                async move {
                    let mut response = Response::new(Full::new(body));
                    *response.headers_mut() = headers;
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), service));
        }
    })
}
