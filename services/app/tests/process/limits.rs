//! What clients may not do for long, or in bulk.

use crate::harness::Service;

#[test]
fn a_head_of_more_than_16_kib_is_answered_431_and_closed() {
    let service = Service::start();
    let mut client = service.connect();
    client.send(format!("GET /now HTTP/1.1\r\nHost: test\r\nX: {}\r\n\r\n", "x".repeat(15_000)));
    assert_eq!(client.answer().status(), 200);
    let mut client = service.connect();
    client.send(format!("GET /now HTTP/1.1\r\nHost: test\r\nX: {}\r\n\r\n", "x".repeat(200_000)));
    let answer = client.rest();
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:?}");
}

#[test]
fn a_head_that_is_never_finished_ends_its_connection_and_an_idle_one_lives_on() {
    let service = Service::start();
    let mut unfinished = service.connect();
    unfinished.send("GET /now HTTP/1.1\r\nHost: te");
    let mut second_unfinished = service.connect();
    second_unfinished.send("GET /now HTTP/1.1\r\nHost: test\r\n\r\nGET /now HTTP/1.1\r\nHo");
    assert_eq!(second_unfinished.answer().status(), 200);
    let mut idle = service.connect();
    idle.send("GET /now HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(idle.answer().status(), 200);
    let mut unused = service.connect();

    // These end when the ten seconds for a head are over.
    assert_eq!(unfinished.rest(), "");
    assert_eq!(second_unfinished.rest(), "");
    // By now the idle connection has given its buffers back, and serves on.
    for client in [&mut idle, &mut unused] {
        client.send("GET /now HTTP/1.1\r\nHost: test\r\n\r\n");
        assert_eq!(client.answer().status(), 200);
    }
}
