use super::first_answer;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nDate: now\r\n\r\nabc";

#[test]
fn an_answer_is_whole_with_its_last_byte() {
    for length in 0..ANSWER.len() {
        assert_eq!(first_answer(&ANSWER[..length]).unwrap(), None, "{length}");
    }
    assert_eq!(first_answer(ANSWER).unwrap(), Some(ANSWER.len()));
}

#[test]
fn what_follows_is_left_alone() {
    assert_eq!(first_answer(&[ANSWER, ANSWER].concat()).unwrap(), Some(ANSWER.len()));
}

#[test]
fn other_answers_are_errors() {
    first_answer(b"HTTP/1.1 503 Service Unavailable\r\n").unwrap_err();
    first_answer(b"HTTP/1.1 200 OK\r\n\r\n").unwrap_err();
}
