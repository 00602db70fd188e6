//! actix-web with one route: `actix-now RESPONSE_FILE` answers `GET /now` with that response.

use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use peers::Answer;

fn main() -> anyhow::Result<()> {
    let answer = Answer::read()?;
    actix_web::rt::System::new().block_on(async {
        let now = move || {
            let mut response = HttpResponse::Ok();
            for (name, value) in &answer.headers {
                response.append_header((name.as_str(), value.as_bytes()));
            }
            std::future::ready(response.body(answer.body.clone()))
        };
        let app = move || App::new().route("/now", web::get().to(now.clone()));
        let server = HttpServer::new(app)
            .workers(1)
            .disable_signals()
            .keep_alive(Duration::from_secs(peers::IDLE_SECONDS.into()));
        Ok(server.listen(peers::listen_std()?)?.run().await?)
    })
}
