use super::*;
use crate::config::Secret;
use crate::http_client::sink::{Sink, answer};

fn hook(url: String) -> Hook {
    Hook { url: Secret::new(url), ca_file: None }
}

async fn sent(sink: &Sink, path: &str) -> Result<(), String> {
    let headers = RequestHeaders::default();
    let url = format!("http://{}{path}", sink.address);
    let collector = Collector::new(&hook(url), headers, "frankfurt", Clock::start());
    let now = Timestamp::from_second(1_795_874_400).unwrap();
    collector.send(Vec::new(), now, Duration::from_secs(5)).await
}

fn with_body(body: &[u8]) -> String {
    let body = String::from_utf8(body.to_vec()).unwrap();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn the_path_of_the_protocol_is_added_once() {
    for (given, asked) in [
        ("", "/v1/metrics"),
        ("/", "/v1/metrics"),
        ("/otlp/", "/otlp/v1/metrics"),
        ("/v1/metrics", "/v1/metrics"),
    ] {
        let sink = Sink::answering([answer(200)]).await;
        sent(&sink, given).await.unwrap();
        let got = sink.wait_for(1).await;
        assert!(got[0].head.starts_with(&format!("POST {asked} HTTP/1.1")), "{}", got[0].head);
        assert!(got[0].head.to_lowercase().contains("content-type: application/x-protobuf"));
    }
}

#[tokio::test]
async fn values_that_a_collector_rejects_are_told_with_its_words() {
    let partial = wire::PartialSuccess { rejected_data_points: 7, error_message: "too old".to_owned() };
    let answer = wire::Response { partial_success: Some(partial) }.encode_to_vec();
    let sink = Sink::answering([with_body(&answer), with_body(&[])]).await;
    let problem = sent(&sink, "").await.unwrap_err();
    assert!(problem.contains("rejected 7 of the values: \"too old\""), "{problem}");
    assert_eq!(sent(&sink, "").await, Ok(()));
}

#[test]
fn a_value_that_is_not_known_goes_on_as_a_series_without_one() {
    let sample = Sample { labels: Labels::default(), value: f64::NAN };
    let point = gauge_point(&sample, 5);
    assert_eq!((point.value, point.flags), (None, wire::NO_RECORDED_VALUE));
}
