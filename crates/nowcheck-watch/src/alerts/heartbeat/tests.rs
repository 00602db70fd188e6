use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::config::Secret;
use crate::http_client::sink::{Sink, answer};

#[tokio::test]
async fn it_is_sent_only_while_rounds_are_held() {
    let sink = Sink::answering([answer(200)]).await;
    let every = Duration::from_millis(20);
    let url = Secret::new(format!("http://{}/ping", sink.address));
    let heartbeat = Heartbeat::new(&HeartbeatConfig { url, every }, Clock::start()).unwrap();
    let rounds = Arc::new(AtomicU64::new(0));
    let (held, asked) = (Arc::clone(&rounds), Arc::new(AtomicU64::new(0)));
    let asks = Arc::clone(&asked);
    let task = tokio::spawn(heartbeat.run(
        move || {
            asks.fetch_add(1, Ordering::Relaxed);
            held.load(Ordering::Relaxed)
        },
        |result| assert_eq!(result, Ok(())),
    ));
    // Four periods without a round.
    while asked.load(Ordering::Relaxed) < 5 {
        tokio::time::sleep(every / 4).await;
    }
    assert!(sink.got().is_empty());
    for round in 1..=2 {
        rounds.store(round, Ordering::Relaxed);
        let got = sink.wait_for(usize::try_from(round).unwrap()).await;
        assert!(got[0].head.starts_with("GET /ping "), "{}", got[0].head);
    }
    task.abort();
}
