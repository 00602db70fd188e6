use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use clock_offset::{Span, UnixInstant};
use proptest::prelude::*;

use super::*;

const SECOND: i128 = 1_000_000_000;

/// A long time, for what should come at once.
const PATIENCE: Duration = Duration::from_secs(20);

type Reply = Vec<u8>;

/// A server that sends what `replies` makes of each request, one packet after the other.
async fn server(replies: impl Fn(&[u8]) -> Vec<Reply> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1_000];
        while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
            for reply in replies(&buffer[..length]) {
                socket.send_to(&reply, client).await.unwrap();
            }
        }
    });
    address
}

/// The long format of an instant, rounded up: truncated to nanoseconds it is the same again.
fn long(instant: UnixInstant) -> [u8; 8] {
    let nanos = instant.as_nanos() + 2_208_988_800 * SECOND;
    let fraction = ((nanos % SECOND) << 32).div_euclid(SECOND) + 1;
    u64::try_from(((nanos / SECOND) % (1 << 32)) << 32 | fraction).unwrap().to_be_bytes()
}

/// A right answer of a server that stamps `now` twice.
fn answer(request: &[u8], now: UnixInstant) -> Reply {
    let mut reply = vec![0; LENGTH];
    reply[0] = 4 << 3 | 4;
    reply[1] = 2;
    reply[3] = (-20_i8).cast_unsigned();
    reply[4..8].copy_from_slice(&0x0000_8000_u32.to_be_bytes());
    reply[8..12].copy_from_slice(&0x0000_4000_u32.to_be_bytes());
    reply[12..16].copy_from_slice(&[192, 0, 2, 1]);
    reply[24..32].copy_from_slice(&request[40..48]);
    reply[32..40].copy_from_slice(&long(now));
    reply[40..48].copy_from_slice(&long(now));
    reply
}

fn an_instant() -> UnixInstant {
    UnixInstant::from_nanos(1_795_464_711 * SECOND + 123_456_789)
}

/// Asks a server that answers rightly, but for what `change` does to it.
async fn ask_changed(change: impl Fn(&mut Reply) + Send + 'static) -> Result<NtpAnswer, NtpError> {
    let server = server(move |request| {
        let mut reply = answer(request, an_instant());
        change(&mut reply);
        vec![reply]
    });
    ask_within(server.await, PATIENCE).await
}

async fn ask_within(server: SocketAddr, patience: Duration) -> Result<NtpAnswer, NtpError> {
    let clock = Clock::start();
    ask(server, clock, clock.now() + patience).await
}

#[tokio::test]
async fn a_good_answer_bounds_the_true_time_and_tells_all_about_the_server() {
    let clock = Clock::start();
    // Who reads the wall clock of this machine, and claims nothing more than that, is right.
    let server = server(move |request| vec![answer(request, clock.read_wall().shown.shows.earliest())]).await;
    let answer = ask(server, clock, clock.now() + PATIENCE).await.unwrap();
    let wall = clock.read_wall().shown;
    let truth = wall.carried_to(answer.received, Drift::DISCIPLINED);
    assert!(truth.shows.is_within(&answer.bounds.shows), "{truth:?} is not within {answer:?}");
    assert!(answer.sent <= answer.received);
    assert_eq!(answer.bounds.at, answer.received);
    assert_eq!((answer.stratum, answer.leap, answer.smears), (2, Leap::None, false));
    assert_eq!(answer.reference_id, [192, 0, 2, 1]);
    assert_eq!(answer.root_delay, Duration::from_millis(500));
    assert_eq!(answer.root_dispersion, Duration::from_millis(250));
}

#[tokio::test]
async fn the_bounds_are_as_wide_as_the_round_trip_and_the_servers_own_doubts() {
    let answer = ask_changed(|_| {}).await.unwrap();
    let round_trip = answer.received.since(answer.sent);
    let doubts = Duration::from_millis(250 + 250) + Duration::from_nanos(954 + 1);
    let drift = Drift::DISCIPLINED.during(round_trip).magnitude();
    assert_eq!(answer.bounds.shows.width(), round_trip + 2 * (doubts + drift));
    assert!(answer.bounds.shows.contains(an_instant()));
}

#[tokio::test]
async fn an_answer_that_is_long_under_way_makes_the_bounds_wide_and_not_false() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = socket.local_addr().unwrap();
    let clock = Clock::start();
    tokio::spawn(async move {
        let mut request = [0; 48];
        let (_, client) = socket.recv_from(&mut request).await.unwrap();
        let reply = answer(&request, clock.read_wall().shown.shows.earliest());
        tokio::time::sleep(Duration::from_millis(600)).await;
        socket.send_to(&reply, client).await.unwrap();
    });
    let answer = ask(server, clock, clock.now() + PATIENCE).await.unwrap();
    assert!(answer.received.since(answer.sent) >= Duration::from_millis(600));
    // More than the half second that this server admits on either side.
    let truth = clock.read_wall().shown.carried_to(answer.received, Drift::DISCIPLINED);
    assert!(truth.shows.is_within(&answer.bounds.shows), "{truth:?} is not within {answer:?}");
}

#[tokio::test]
async fn a_request_holds_nothing_but_a_number_that_is_never_the_same() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let server = server(move |request| {
        noted.lock().unwrap().push(request.to_vec());
        vec![answer(request, an_instant())]
    })
    .await;
    for _ in 0..20 {
        ask_within(server, PATIENCE).await.unwrap();
    }
    let seen = seen.lock().unwrap();
    for request in seen.iter() {
        assert_eq!(request.len(), 48);
        assert_eq!(request[0], 0x23);
        assert!(request[1..40].iter().all(|&byte| byte == 0), "{request:?}");
    }
    let numbers: HashSet<&[u8]> = seen.iter().map(|request| &request[40..]).collect();
    assert_eq!(numbers.len(), 20);
}

#[tokio::test]
async fn what_does_not_answer_the_request_is_not_listened_to() {
    let server = server(|request| {
        let right = answer(request, an_instant());
        // Whoever is taken in by one of these says stratum 9.
        let wrong = |at: usize, value: u8| {
            let mut reply = answer(request, an_instant());
            reply[1] = 9;
            reply[at] = value;
            reply
        };
        vec![
            wrong(31, !request[47]),
            vec![0; 48],
            wrong(0, 4 << 3 | 3),
            wrong(0, 2 << 3 | 4),
            wrong(0, 4 << 3 | 5),
            Vec::new(),
            wrong(24, request[40])[..47].to_vec(),
            request.to_vec(),
            right,
        ]
    })
    .await;
    assert_eq!(ask_within(server, PATIENCE).await.unwrap().stratum, 2);
}

#[tokio::test]
async fn an_answer_from_another_address_is_not_listened_to() {
    let (here, elsewhere) =
        (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let server = here.local_addr().unwrap();
    tokio::spawn(async move {
        let mut request = [0; 48];
        let (_, client) = here.recv_from(&mut request).await.unwrap();
        let mut reply = answer(&request, an_instant());
        reply[1] = 9;
        elsewhere.send_to(&reply, client).await.unwrap();
        reply[1] = 3;
        here.send_to(&reply, client).await.unwrap();
    });
    assert_eq!(ask_within(server, PATIENCE).await.unwrap().stratum, 3);
}

#[tokio::test]
async fn what_comes_behind_the_header_does_not_matter() {
    let answer = ask_changed(|reply| reply.extend([0xff; 500])).await.unwrap();
    assert_eq!(answer.stratum, 2);
    let version_3 = ask_changed(|reply| reply[0] = 3 << 3 | 4).await.unwrap();
    assert_eq!(version_3.stratum, 2);
}

#[tokio::test]
async fn a_silent_server_is_waited_for_until_the_deadline() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let clock = Clock::start();
    let begin = clock.now();
    let outcome = ask(silent.local_addr().unwrap(), clock, begin + Duration::from_millis(80)).await;
    assert_eq!(outcome, Err(NtpError::Silent));
    assert!(clock.now().since(begin) >= Duration::from_millis(80));
    let mut request = [0; 100];
    assert_eq!(silent.try_recv(&mut request).unwrap(), 48);
    assert!(silent.try_recv(&mut request).is_err(), "one probe is one request");
}

#[tokio::test]
async fn one_that_says_only_what_was_not_asked_is_told_from_a_silent_one() {
    let server = server(|request| vec![request.to_vec(), b"?".to_vec()]).await;
    let outcome = ask_within(server, Duration::from_millis(400)).await;
    assert_eq!(outcome, Err(NtpError::OnlyStrays { count: 2 }));
}

#[tokio::test]
async fn a_flood_of_packets_does_not_hold_up_the_deadline() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = socket.local_addr().unwrap();
    let flood = tokio::spawn(async move {
        let (_, client) = socket.recv_from(&mut [0; 48]).await.unwrap();
        loop {
            // The client may be gone: what is sent does not matter, only that it never ends.
            let _ = socket.send_to(&[0; 48], client).await;
            tokio::task::yield_now().await;
        }
    });
    let clock = Clock::start();
    let begin = clock.now();
    let outcome = ask(server, clock, begin + Duration::from_millis(200)).await;
    flood.abort();
    assert!(matches!(outcome, Err(NtpError::OnlyStrays { .. })), "{outcome:?}");
    assert!(clock.now().since(begin) < Duration::from_secs(10));
}

#[tokio::test]
async fn a_port_that_nothing_listens_on_is_known_at_once() {
    let unused = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(ask_within(unused, PATIENCE).await, Err(NtpError::Refused));
}

#[tokio::test]
async fn a_kiss_of_death_is_told_with_its_code() {
    let refused = async |code: &'static [u8; 4]| {
        ask_changed(move |reply| {
            // As servers send it: not synchronized, stratum 0, no time.
            reply[0] |= 3 << 6;
            reply[1] = 0;
            reply[12..16].copy_from_slice(code);
            reply[32..48].fill(0);
        })
        .await
    };
    for code in ["RATE", "DENY", "RSTR", "X"] {
        let padded: &'static [u8; 4] = match code {
            "RATE" => b"RATE",
            "DENY" => b"DENY",
            "RSTR" => b"RSTR",
            _ => b"X\0\0\0",
        };
        assert_eq!(refused(padded).await, Err(NtpError::KissOfDeath { code: code.to_owned() }));
    }
    let escape = refused(b"\x1b[2J").await.unwrap_err().to_string();
    assert!(!escape.contains('\x1b') && escape.contains("[2J"), "{escape}");
    assert_eq!(refused(b"\0\0\0\0").await, Err(NtpError::Unsynchronized), "no code, no refusal");
    let words = refused(b"RATE").await.unwrap_err().to_string();
    assert_eq!(words, "the server refused the request (kiss code RATE): ask it less often");
}

#[tokio::test]
async fn a_server_that_is_not_synchronized_is_not_believed() {
    assert_eq!(ask_changed(|reply| reply[0] |= 3 << 6).await, Err(NtpError::Unsynchronized));
    for stratum in [16, 17, 255] {
        assert_eq!(ask_changed(move |reply| reply[1] = stratum).await, Err(NtpError::Unsynchronized));
    }
    assert_eq!(ask_changed(|reply| reply[1] = 15).await.unwrap().stratum, 15);
}

#[tokio::test]
async fn a_leap_second_that_is_near_is_told() {
    assert_eq!(ask_changed(|reply| reply[0] |= 1 << 6).await.unwrap().leap, Leap::InsertSecond);
    assert_eq!(ask_changed(|reply| reply[0] |= 2 << 6).await.unwrap().leap, Leap::DeleteSecond);
}

#[tokio::test]
async fn an_answer_without_a_time_or_with_times_that_contradict_each_other_is_of_no_use() {
    assert_eq!(ask_changed(|reply| reply[32..40].fill(0)).await, Err(NtpError::NoTime));
    assert_eq!(ask_changed(|reply| reply[40..48].fill(0)).await, Err(NtpError::NoTime));
    let earlier = long(an_instant() - Span::from(Duration::from_micros(1)));
    let backwards = ask_changed(move |reply| reply[40..48].copy_from_slice(&earlier)).await;
    assert_eq!(backwards, Err(NtpError::Contradiction));
    // So long the answer was not under way.
    let later = long(an_instant() + Span::from(Duration::from_mins(1)));
    let for_ever = ask_changed(move |reply| reply[40..48].copy_from_slice(&later)).await;
    assert_eq!(for_ever, Err(NtpError::Contradiction));
}

#[tokio::test]
async fn a_server_that_is_far_from_the_source_of_the_time_is_only_vague() {
    let answer = ask_changed(|reply| reply[4..12].fill(0xff)).await.unwrap();
    assert!(answer.bounds.shows.width() > Duration::from_secs(3 * 65_535));
    assert!(answer.bounds.shows.contains(an_instant()));
}

#[tokio::test]
async fn an_exchange_across_the_rollover_of_2036_is_like_any_other() {
    let rollover = UnixInstant::from_nanos(2_085_978_496 * SECOND);
    let answer = ask_changed(move |reply| {
        reply[3] = 0;
        reply[32..40].copy_from_slice(&long(rollover - Span::from(Duration::from_nanos(5))));
        reply[40..48].copy_from_slice(&long(rollover + Span::from(Duration::from_nanos(5))));
    })
    .await
    .unwrap();
    assert!(answer.bounds.shows.contains(rollover));
    assert!(answer.bounds.shows.width() < Duration::from_secs(30));
}

#[tokio::test]
async fn a_server_that_shows_that_it_smears_is_recognized() {
    let smears = async |stratum: u8, reference_id: [u8; 4]| {
        let answer = ask_changed(move |reply| {
            reply[1] = stratum;
            reply[12..16].copy_from_slice(&reference_id);
        });
        answer.await.unwrap().smears
    };
    assert!(smears(2, [254, 1, 2, 3]).await);
    assert!(smears(1, [254, 0, 0, 0]).await);
    assert!(smears(2, [127, 127, 1, 255]).await);
    assert!(smears(1, *b"GOOG").await);
    assert!(smears(4, [169, 254, 169, 123]).await);
    // 71.79.79.71 is somebody's address.
    assert!(!smears(2, *b"GOOG").await);
    assert!(!smears(1, *b"GPS\0").await);
    assert!(!smears(2, [127, 127, 1, 1]).await);
    assert!(!smears(2, [253, 1, 2, 3]).await);
}

#[test]
fn servers_that_are_published_to_smear_are_known_however_they_are_written() {
    for host in [
        "time.google.com",
        "Time4.Google.com.",
        "time.aws.com",
        "169.254.169.123",
        "fd00:ec2::123",
        "[fd00:0ec2:0:0:0:0:0:0123]",
        "time.facebook.com",
        "time5.facebook.com",
    ] {
        assert!(known_to_smear(host), "{host}");
    }
    for host in [
        "time.cloudflare.com",
        "pool.ntp.org",
        "time5.google.com",
        "google.com",
        "time.google.com.example",
        "169.254.169.254",
        "fd00:ec2::254",
        "",
    ] {
        assert!(!known_to_smear(host), "{host}");
    }
}

proptest! {
    #[test]
    fn whatever_a_server_says_is_judged_without_a_panic(
        mut bytes in prop::collection::vec(any::<u8>(), LENGTH),
        round_trip in any::<u32>(),
        usual in any::<bool>(),
    ) {
        if usual {
            // So that not nearly all end at the first question.
            bytes[0] &= 0x3f;
            bytes[1] = bytes[1] % 15 + 1;
            bytes.copy_within(32..37, 40);
        }
        let header = Header::of(&bytes).unwrap();
        let sent = MonotonicInstant::ORIGIN;
        let received = sent + Duration::from_nanos(round_trip.into());
        match judge(&header, sent, received) {
            Ok(answer) => prop_assert!(answer.bounds.shows.width() >= 2 * answer.root_dispersion),
            Err(failure) => prop_assert!(!failure.to_string().contains(char::is_control)),
        }
    }
}
