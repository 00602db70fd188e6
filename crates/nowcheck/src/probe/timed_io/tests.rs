use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

#[tokio::test]
async fn an_answer_that_came_before_its_request_is_bounded_by_the_opening_of_the_connection() {
    let clock = Clock::start();
    let opening = clock.now();
    let (mut there, here) = duplex(100);
    let exchange = ExchangeInstants::default();
    let mut timed = TimedIo::new(here, clock, exchange.clone(), opening);
    there.write_all(b"early").await.unwrap();
    timed.write_all(b"GET").await.unwrap();
    let mut answer = [0; 5];
    timed.read_exact(&mut answer[..2]).await.unwrap();
    timed.read_exact(&mut answer[2..]).await.unwrap();
    assert_eq!(&answer, b"early");
    assert_eq!(exchange.so_far().sent, Some(opening));
    assert_eq!(exchange.first_bytes(), b"early");
    exchange.begin();
    timed.write_all(b"GET").await.unwrap();
    there.write_all(b"later").await.unwrap();
    timed.read_exact(&mut answer).await.unwrap();
    let instants = exchange.so_far();
    assert!(instants.sent > Some(opening) && instants.first_byte >= instants.sent, "{instants:?}");
}

#[tokio::test]
async fn who_waits_for_an_answer_is_woken_by_the_request() {
    let clock = Clock::start();
    let (mut there, here) = duplex(100);
    let timed = TimedIo::new(here, clock, ExchangeInstants::default(), clock.now());
    let (mut reading, mut writing) = tokio::io::split(timed);
    let answer = tokio::spawn(async move {
        let mut answer = [0; 2];
        reading.read_exact(&mut answer).await.unwrap();
        answer
    });
    tokio::task::yield_now().await;
    there.write_all(b"ok").await.unwrap();
    tokio::task::yield_now().await;
    assert!(!answer.is_finished(), "nothing was asked yet");
    writing.write_all(b"GET").await.unwrap();
    assert_eq!(&answer.await.unwrap(), b"ok");
}
