//! ntex with one route: `ntex-now RESPONSE_FILE` answers `GET /now` with that response.

use ntex::SharedCfg;
use ntex::http::HttpServiceConfig;
use ntex::time::Seconds;
use ntex::web::{self, App, HttpResponse};
use peers::Answer;

#[ntex::main]
async fn main() -> anyhow::Result<()> {
    let answer = Answer::read()?;
    // Bytes of its own, which are not copied for each response.
    let body = ntex::util::Bytes::copy_from_slice(&answer.body);
    let app = async move || {
        let (answer, body) = (answer.clone(), body.clone());
        let now = async move || {
            let mut response = HttpResponse::Ok();
            for (name, value) in &answer.headers {
                response.header(name.as_str(), value.as_bytes());
            }
            response.body(body.clone())
        };
        App::new().route("/now", web::get().to(now))
    };
    let http = HttpServiceConfig::new().set_keepalive_timeout(Seconds(peers::IDLE_SECONDS));
    let server = web::server(app).workers(1).disable_signals().config(SharedCfg::new("now").add(http));
    Ok(server.listen(peers::listen_std()?)?.run().await?)
}
