use super::sink::{SILENCE, Sink, answer};
use super::*;

const TOKEN: &str = "T0P-53CR3T-T0KEN";

async fn sent(url: &str, longest: Duration) -> Result<(), HttpFault> {
    let client = Client::with_trust(&Secret::new(url), Trust::of_this_machine(), Clock::start())?;
    client.send(Message::json("{}"), longest).await
}

async fn fault_of(answer: String) -> HttpFault {
    let sink = Sink::answering([answer]).await;
    let url = format!("http://{}/{TOKEN}?key={TOKEN}", sink.address);
    sent(&url, Duration::from_secs(2)).await.unwrap_err()
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_its_target_not_shown() {
    let elsewhere = Sink::answering([answer(200)]).await;
    let location = format!("http://{}/{TOKEN}", elsewhere.address);
    let fault =
        fault_of(format!("HTTP/1.1 307 Any\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")).await;
    assert!(matches!(fault, HttpFault::Redirect(_)) && fault.is_rejection(), "{fault:?}");
    assert!(elsewhere.got().is_empty());
}

#[tokio::test]
async fn what_the_receiver_says_is_quoted_unless_it_holds_the_secret() {
    let say = |body: &str| format!("HTTP/1.1 400 Any\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let fault = fault_of(say("invalid_payload")).await;
    assert!(fault.to_string().contains("answered 400 Bad Request: \"invalid_payload\""), "{fault}");
    for echo in
        [TOKEN.to_owned(), TOKEN.to_lowercase(), format!("a\\/{TOKEN}"), "T0P%2D53CR3T-T0KEN".to_owned()]
    {
        let fault = fault_of(say(&format!("no such hook: {echo}"))).await;
        assert!(matches!(&fault, HttpFault::Status { excerpt: None, .. }), "{fault:?}");
    }
}

#[tokio::test]
async fn rejections_are_told_from_what_may_pass() {
    for (status, is_rejected) in [
        (400, true),
        (401, true),
        (404, true),
        (408, false),
        (413, true),
        (429, false),
        (500, false),
        (503, false),
    ] {
        assert_eq!(fault_of(answer(status)).await.is_rejection(), is_rejected, "{status}");
    }
}

#[tokio::test]
async fn a_pause_is_asked_for_in_seconds_or_by_a_date() {
    let later = std::time::UNIX_EPOCH
        + Duration::from_secs(u64::try_from(now(Clock::start()).as_second()).unwrap() + 500);
    for (asked, around) in [("120".to_owned(), 120), (httpdate::fmt_http_date(later), 500)] {
        let fault =
            fault_of(format!("HTTP/1.1 429 Any\r\nretry-after: {asked}\r\ncontent-length: 0\r\n\r\n")).await;
        let pause = fault.retry_after().unwrap().as_secs();
        assert!((around - 5..=around).contains(&pause), "{asked}: {pause}");
    }
    assert_eq!(fault_of(answer(503)).await.retry_after(), None);
}

#[tokio::test]
async fn no_fault_shows_the_url() {
    let silent = Sink::answering([SILENCE]).await;
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let plain = Sink::answering(["no HTTP"]).await;
    let cases = [
        (format!("http://{TOKEN}.invalid/{TOKEN}"), "cannot be resolved"),
        (format!("http://{closed}/{TOKEN}"), "connection refused"),
        (format!("http://{}/{TOKEN}", silent.address), "did not answer within 500 ms"),
        (format!("https://{}/{TOKEN}", plain.address), "TLS failed"),
        (format!("http://{}/{TOKEN}", plain.address), "no valid HTTP response"),
        (format!("http://user:{TOKEN}@{closed}/"), "connection refused"),
    ];
    for (url, words) in cases {
        let sentence = sent(&url, Duration::from_millis(500)).await.unwrap_err().to_string();
        assert!(sentence.contains(words), "{url}: {sentence}");
        assert!(!sentence.to_lowercase().contains(&TOKEN.to_lowercase()), "{sentence}");
        assert!(!sentence.contains("127.0.0.1"), "{sentence}");
    }
}

#[tokio::test]
async fn credentials_in_the_url_are_sent_as_basic_authentication() {
    let sink = Sink::answering([answer(200)]).await;
    sent(&format!("http://user:p%40ss@{}/", sink.address), Duration::from_secs(2)).await.unwrap();
    // base64 of `user:p@ss`.
    assert!(sink.got()[0].head.contains("authorization: Basic dXNlcjpwQHNz"), "{}", sink.got()[0].head);
}

#[tokio::test]
async fn a_flood_of_an_answer_is_read_up_to_a_limit() {
    let body = "x".repeat(1024 * 1024);
    let fault = fault_of(format!("HTTP/1.1 500 Any\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
    assert!(matches!(fault, HttpFault::Status { .. }), "{fault:?}");
    assert!(fault.to_string().len() < 1_000);
}
