//! Snapshots of every format, from outcomes that were written by hand.

use std::time::Duration;

use clock_offset::{Interval, Limits, Offset, Span, UnixInstant, Verdict};
use expect_test::expect;
use http::StatusCode;

use super::*;
use nowcheck::clock::Synchronization;
use nowcheck::outcome::{
    AnswerFault, AnswerProblem, BackendOutcome, Cause, CertificateFault, CertificateOutcome, ConnectionFault,
    Discarded, Failure, Finding, Leap, NameFault, Note, Phase, Phases, ReferenceOutcome, SourceFacts,
    SourceOutcome, SourceStanding, Spread, Stale, Standing, StatedClock, TargetOutcome, TlsFault,
    ValidityBreach,
};

const LIMITS: Limits =
    Limits { max_offset: Duration::from_secs(1), warn_offset: Some(Duration::from_millis(500)) };

fn backend(name: Option<&str>, verdict: Verdict, micros: (i128, i128)) -> BackendOutcome {
    let offset = Interval::new(Offset::from_nanos(micros.0 * 1_000), Offset::from_nanos(micros.1 * 1_000));
    BackendOutcome {
        instance: name.map(Into::into),
        verdict,
        offset,
        tick: Duration::ZERO,
        step: Duration::ZERO,
        samples: 16,
        round_trip: Spread::of([150, 170, 310].map(Duration::from_micros)),
        clock: name.map(|_| StatedClock { status: "synchronized".to_owned(), max_error: Some(0.000_312) }),
    }
}

fn measured(backends: Vec<BackendOutcome>) -> TargetOutcome {
    TargetOutcome { miss_probability: Some(0.007_812_5), ..target(Finding::of_backends(backends)) }
}

fn target(finding: Finding) -> TargetOutcome {
    let phases = Phases {
        resolve: Some(Duration::from_micros(900)),
        connect: Some(Duration::from_micros(150)),
        tls: None,
        wait: Some(Duration::from_micros(300)),
        transfer: Some(Duration::ZERO),
    };
    let bare = TargetOutcome::new("http://time.example/now", Some(([192, 0, 2, 7], 80).into()), finding);
    TargetOutcome { phases, connections: 8, requests: 16, ..bare }
}

fn outcome(targets: Vec<TargetOutcome>) -> Outcome {
    Outcome {
        checked_at: UnixInstant::from_nanos(1_795_464_711_123_456_789),
        duration: Duration::from_micros(4_321),
        limits: LIMITS,
        reference: this_machine(Synchronization::Synchronized { max_error: Duration::from_micros(250) }),
        targets,
    }
}

fn this_machine(system: Synchronization) -> ReferenceOutcome {
    let max_error = system.max_error();
    let is_vouched_for = max_error.is_some();
    ReferenceOutcome {
        standing: if is_vouched_for { Standing::Agreed } else { Standing::OnlyUnvouched },
        system,
        max_error,
        local_offset: None,
        sources: vec![source(
            "system",
            if is_vouched_for { SourceStanding::Truechimer } else { SourceStanding::NotVouchedFor },
        )],
    }
}

fn source(name: &str, standing: SourceStanding) -> SourceOutcome {
    SourceOutcome { name: name.to_owned(), address: None, standing, offset: None, facts: None }
}

fn in_sync() -> Outcome {
    let backends = vec![backend(Some("3f9c2a7d"), Verdict::InSync, (-64, 106))];
    outcome(vec![measured(backends)])
}

fn by_time_servers() -> Outcome {
    let facts = SourceFacts {
        stratum: 2,
        leap: Leap::InsertSecond,
        root_delay: Duration::from_millis(15),
        root_dispersion: Duration::from_micros(1_200),
        round_trip: Duration::from_micros(800),
        smears: false,
    };
    let offset = |millis: (i128, i128)| {
        Some(Interval::new(
            Offset::from_nanos(millis.0 * 1_000_000),
            Offset::from_nanos(millis.1 * 1_000_000),
        ))
    };
    let mut outcome = in_sync();
    outcome.reference = ReferenceOutcome {
        standing: Standing::Agreed,
        system: Synchronization::Unsynchronized,
        max_error: Some(Duration::from_millis(9)),
        local_offset: offset((-3_600_004, -3_599_996)),
        sources: vec![
            SourceOutcome {
                facts: Some(facts),
                offset: offset((-9, 9)),
                address: Some(([192, 0, 2, 1], 123).into()),
                ..source("ntp:a.example", SourceStanding::Truechimer)
            },
            SourceOutcome {
                facts: Some(SourceFacts { leap: Leap::None, smears: true, ..facts }),
                offset: offset((-12, 15)),
                ..source("ntp:b.example", SourceStanding::Truechimer)
            },
            SourceOutcome {
                facts: Some(SourceFacts { leap: Leap::None, ..facts }),
                offset: offset((4_988, 5_012)),
                ..source("ntp:liar.example", SourceStanding::Falseticker)
            },
            source("ntp:silent.example", SourceStanding::Silent),
        ],
    };
    let ten_days = Span::from_nanos(864_000_000_000_000);
    let target = &mut outcome.targets[0];
    target.certificate =
        Some(CertificateOutcome { expires_at: outcome.checked_at + ten_days, left: ten_days });
    target.discarded = Discarded { suspended: 2, clock_step: 0, scheduling: 1 };
    outcome
}

fn one_of_four_behind() -> Outcome {
    let mut backends: Vec<_> =
        ["0a", "0b", "0c"].iter().map(|name| backend(Some(name), Verdict::InSync, (-64, 106))).collect();
    backends.push(backend(Some("0d"), Verdict::Desynchronized, (-3_000_250, -3_000_080)));
    outcome(vec![measured(backends)])
}

fn down() -> Outcome {
    outcome(vec![
        failed(StatusCode::INTERNAL_SERVER_ERROR, None),
        measured(vec![backend(None, Verdict::InSync, (0, 10))]),
    ])
}

fn failed(status: StatusCode, detail: Option<String>) -> TargetOutcome {
    let fault = AnswerFault { status, problem: AnswerProblem::Status(detail) };
    let failure = Failure {
        phase: Phase::Content,
        cause: Cause::Answer(Box::new(fault)),
        elapsed: Duration::from_micros(450),
    };
    TargetOutcome { requests: 1, connections: 1, ..target(Finding::of_failure(failure, Vec::new())) }
}

fn stale() -> Outcome {
    outcome(vec![target(Finding::Stale(Stale::Age { seconds: 30 }))])
}

fn undetermined() -> Outcome {
    let vague = measured(vec![backend(None, Verdict::Undetermined, (-200_000, 1_300_000))]);
    outcome(vec![TargetOutcome { notes: vec![Note::WholeDaysUnseen], ..vague }])
}

/// The color codes as words, so that a snapshot can be read.
fn readable(text: &str) -> String {
    text.replace("\u{1b}[1m", "<bold>")
        .replace("\u{1b}[32m", "<green>")
        .replace("\u{1b}[31m", "<red>")
        .replace("\u{1b}[33m", "<yellow>")
        .replace("\u{1b}[35m", "<magenta>")
        .replace("\u{1b}[0m", "<plain>")
}

#[test]
fn people_see_the_verdict_first_and_what_to_do_when_it_is_not_ok() {
    expect![[r#"
        <bold><green>OK<plain>  http://time.example/now at 192.0.2.7:80  in sync: +21 µs ± 85 µs (limit ± 1 s)
            192.0.2.7:80  instance 3f9c2a7d  offset +21 µs ± 85 µs  round trip 150 µs (median 170 µs)
            16 requests, 8 connections; chance that a backend was missed: at most 0.79 %; resolve 900 µs, connect 150 µs, wait 300 µs, transfer 0 s
            reference: this machine's clock, synchronized to ± 250 µs by its kernel
    "#]].assert_eq(&readable(&human::lines(&in_sync())));
    expect![[r#"
        <bold><red>CRITICAL<plain>  http://time.example/now at 192.0.2.7:80  1 of 4 backends, 0d: clock is 3.00 s behind: -3.000165 s ± 85 µs (limit ± 1 s)
            <bold><green>OK      <plain>  192.0.2.7:80  instance 0a  offset +21 µs ± 85 µs  round trip 150 µs (median 170 µs)
            <bold><green>OK      <plain>  192.0.2.7:80  instance 0b  offset +21 µs ± 85 µs  round trip 150 µs (median 170 µs)
            <bold><green>OK      <plain>  192.0.2.7:80  instance 0c  offset +21 µs ± 85 µs  round trip 150 µs (median 170 µs)
            <bold><red>CRITICAL<plain>  192.0.2.7:80  instance 0d  offset -3.000165 s ± 85 µs  round trip 150 µs (median 170 µs)
            16 requests, 8 connections; chance that a backend was missed: at most 0.79 %; resolve 900 µs, connect 150 µs, wait 300 µs, transfer 0 s
            next: on the server, look at `chronyc tracking` or `timedatectl`: is time synchronization running, and can it reach its servers?
            reference: this machine's clock, synchronized to ± 250 µs by its kernel
    "#]].assert_eq(&readable(&human::lines(&one_of_four_behind())));
    expect![[r#"
        <bold><red>CRITICAL<plain>  http://time.example/now at 192.0.2.7:80  down, no time: it answered 500 Internal Server Error, in phase content after 450 µs
            1 request, 1 connection; resolve 900 µs, connect 150 µs, wait 300 µs, transfer 0 s
            next: look at the logs of the service
        <bold><green>OK<plain>  http://time.example/now at 192.0.2.7:80  in sync: +5.0 µs ± 5 µs (limit ± 1 s)
            192.0.2.7:80  offset +5.0 µs ± 5 µs  round trip 150 µs (median 170 µs)
            16 requests, 8 connections; chance that a backend was missed: at most 0.79 %; resolve 900 µs, connect 150 µs, wait 300 µs, transfer 0 s
            reference: this machine's clock, synchronized to ± 250 µs by its kernel
    "#]].assert_eq(&readable(&human::lines(&down())));
    expect![[r#"
        <bold><red>CRITICAL<plain>  http://time.example/now at 192.0.2.7:80  a cache answered instead of the service: its answer is 30 s old (Age header)
            next: exclude this path from the cache on the way (Cache-Control: no-store), or check the service behind the cache
    "#]].assert_eq(&readable(&human::lines(&stale())));
    expect![[r#"
        <bold><magenta>UNKNOWN<plain>  http://time.example/now at 192.0.2.7:80  cannot be decided: the offset lies between -200 ms and +1.30 s, the limit is ± 1 s
            192.0.2.7:80  offset between -200 ms and +1.30 s  round trip 150 µs (median 170 µs)
            16 requests, 8 connections; chance that a backend was missed: at most 0.79 %; resolve 900 µs, connect 150 µs, wait 300 µs, transfer 0 s
            note: the answer is a time of day without a date, so an error of whole days cannot be seen
            next: check again with a longer --timeout or more --samples, or from a machine that is closer to the service
            reference: this machine's clock, synchronized to ± 250 µs by its kernel
    "#]].assert_eq(&readable(&human::lines(&undetermined())));
    expect![[r#"
        <bold><green>OK<plain>  http://time.example/now at 192.0.2.7:80  in sync: +21 µs ± 85 µs (limit ± 1 s)
            192.0.2.7:80  instance 3f9c2a7d  offset +21 µs ± 85 µs  round trip 150 µs (median 170 µs)
            16 requests, 8 connections; chance that a backend was missed: at most 0.79 %; 2 answers discarded, because this machine was suspended; 1 answer discarded, because this machine was too busy; certificate valid until 2026-12-03T20:11:51Z (10 d 0 h); resolve 900 µs, connect 150 µs, wait 300 µs, transfer 0 s
            reference: ntp:a.example, ntp:b.example, 2 of 3 agree to ± 9.00 ms
            note: ntp:a.example announces a leap second at the end of the month
            note: ntp:liar.example disagrees with the other references (a falseticker): +5.000 s ± 12 ms
            note: ntp:silent.example was not used: no answer came: check that firewalls let UDP through to this port and back
            note: ntp:b.example smears leap seconds and ntp:a.example is not known to: near a leap second, they differ by up to a second
            note: this machine's own clock is wrong: -3600.0000 s ± 4 ms from the reference; no verdict depends on it
    "#]].assert_eq(&readable(&human::lines(&by_time_servers())));
}

/// Against this machine's clock, for which nothing vouches: a service that agrees with it, and one that does not.
fn unvouched(verdict: Verdict, micros: (i128, i128)) -> Outcome {
    let mut target = measured(vec![backend(Some("3f9c2a7d"), verdict, micros)]);
    target.finding = target.finding.unvouched();
    Outcome { reference: this_machine(Synchronization::Unsynchronized), ..outcome(vec![target]) }
}

#[test]
fn what_agrees_with_a_clock_that_nothing_vouches_for_says_so_and_names_what_would() {
    let agrees = unvouched(Verdict::InSync, (-64, 106));
    expect![[r#"
        <bold><yellow>WARNING<plain>  http://time.example/now at 192.0.2.7:80  up, and agrees with this machine's clock: +21 µs ± 85 µs (limit ± 1 s), but nothing vouches for that clock
            192.0.2.7:80  instance 3f9c2a7d  offset +21 µs ± 85 µs  round trip 150 µs (median 170 µs)
            16 requests, 8 connections; chance that a backend was missed: at most 0.79 %; resolve 900 µs, connect 150 µs, wait 300 µs, transfer 0 s
            next: synchronize this machine's clock (chrony, systemd-timesyncd), or compare with a time server (--reference ntp:HOST); if this machine's clock is known to be right, add --trust-system-clock
            reference: this machine's clock; its kernel reports no synchronization (NTP)
    "#]].assert_eq(&readable(&human::lines(&agrees)));
    let imprecise = unvouched(Verdict::NotWithinWarning, (499_900, 500_100));
    expect![[r#"
        2026-11-23T20:11:51Z  <bold><yellow>WARNING <plain>  http://time.example/now at 192.0.2.7:80  within ± 1 s, but not proven to be within ± 500 ms: +500.00 ms ± 100 µs; nothing vouches for this machine's clock, which it was compared with
    "#]].assert_eq(&readable(&human::line(&imprecise)));
    let mut both = unvouched(Verdict::InSync, (-64, 106));
    both.targets.push(both.targets[0].clone());
    expect![[r#"
        2026-11-23T20:11:51Z  <bold><yellow>WARNING <plain>  all 2 addresses are up and agree with this machine's clock, the farthest: +21 µs ± 85 µs (limit ± 1 s), but nothing vouches for that clock
    "#]].assert_eq(&readable(&human::line(&both)));
    let json = json::line(&agrees, words()).unwrap();
    assert_eq!(json.matches(r#""status":"WARNING","reason":"reference_not_vouched_for""#).count(), 3);
}

#[test]
fn a_clock_that_contradicts_one_that_nothing_vouches_for_is_critical_and_both_are_named() {
    let disagrees = unvouched(Verdict::Desynchronized, (-3_000_250, -3_000_080));
    expect![[r#"
        <bold><red>CRITICAL<plain>  http://time.example/now at 192.0.2.7:80  clock is 3.00 s behind this machine's: -3.000165 s ± 85 µs (limit ± 1 s); either the server's clock or this machine's is wrong: nothing vouches for this machine's
            192.0.2.7:80  instance 3f9c2a7d  offset -3.000165 s ± 85 µs  round trip 150 µs (median 170 µs)
            16 requests, 8 connections; chance that a backend was missed: at most 0.79 %; resolve 900 µs, connect 150 µs, wait 300 µs, transfer 0 s
            next: find out which clock is wrong: look at `chronyc tracking` or `timedatectl` on this machine, then on the server; or compare with time servers: --reference ntp:HOST
            reference: this machine's clock; its kernel reports no synchronization (NTP)
    "#]].assert_eq(&readable(&human::lines(&disagrees)));
}

#[test]
fn a_clock_that_is_trusted_is_called_that() {
    let mut outcome = in_sync();
    outcome.reference = ReferenceOutcome {
        standing: Standing::Trusted,
        sources: vec![source("system", SourceStanding::Trusted)],
        ..this_machine(Synchronization::Unsynchronized)
    };
    expect![[r#"
        <bold><green>OK<plain>  http://time.example/now at 192.0.2.7:80  in sync: +21 µs ± 85 µs (limit ± 1 s)
            192.0.2.7:80  instance 3f9c2a7d  offset +21 µs ± 85 µs  round trip 150 µs (median 170 µs)
            16 requests, 8 connections; chance that a backend was missed: at most 0.79 %; resolve 900 µs, connect 150 µs, wait 300 µs, transfer 0 s
            reference: this machine's clock, trusted because of --trust-system-clock; its kernel reports no synchronization (NTP)
    "#]].assert_eq(&readable(&human::lines(&outcome)));
    let json = json::line(&outcome, words()).unwrap();
    assert!(json.contains(r#""source":"system","status":"trusted","max_error":null"#), "{json}");
}

#[test]
fn many_rounds_take_a_line_each() {
    let all: String =
        [in_sync(), one_of_four_behind(), down(), stale(), undetermined()].iter().map(human::line).collect();
    expect![[r#"
        2026-11-23T20:11:51Z  <bold><green>OK      <plain>  http://time.example/now at 192.0.2.7:80  in sync: +21 µs ± 85 µs (limit ± 1 s)
        2026-11-23T20:11:51Z  <bold><red>CRITICAL<plain>  http://time.example/now at 192.0.2.7:80  1 of 4 backends, 0d: clock is 3.00 s behind: -3.000165 s ± 85 µs (limit ± 1 s)
        2026-11-23T20:11:51Z  <bold><red>CRITICAL<plain>  1 of 2 addresses: http://time.example/now at 192.0.2.7:80: down, no time: it answered 500 Internal Server Error, in phase content after 450 µs
        2026-11-23T20:11:51Z  <bold><red>CRITICAL<plain>  http://time.example/now at 192.0.2.7:80  a cache answered instead of the service: its answer is 30 s old (Age header)
        2026-11-23T20:11:51Z  <bold><magenta>UNKNOWN <plain>  http://time.example/now at 192.0.2.7:80  cannot be decided: the offset lies between -200 ms and +1.30 s, the limit is ± 1 s
    "#]].assert_eq(&readable(&all));
}

#[test]
fn a_monitoring_system_gets_one_line_with_performance_data() {
    let all: Vec<String> =
        [in_sync(), one_of_four_behind(), down(), stale(), undetermined(), by_time_servers()]
            .iter()
            .map(|outcome| nagios::lines(outcome, false, Charset::Unicode))
            .collect();
    expect![[r#"
        NOWCHECK OK - in sync: +21 µs ± 85 µs (limit ± 1 s) | time=0.004321000s;;;0; offset=0.000021000s;-0.5:0.5;-1:1;; offset_bound=0.000085000s;;;0; round_trip=0.000170000s;;;0; miss_probability=0.007812500;;;0;1 resolve=0.000900000s;;;0; connect=0.000150000s;;;0; wait=0.000300000s;;;0; transfer=0.000000000s;;;0;
        NOWCHECK CRITICAL - 192.0.2.7:80: 1 of 4 backends, 0d: clock is 3.00 s behind: -3.000165 s ± 85 µs (limit ± 1 s) | time=0.004321000s;;;0; offset=-3.000165000s;-0.5:0.5;-1:1;; offset_bound=0.000085000s;;;0; round_trip=0.000170000s;;;0; miss_probability=0.007812500;;;0;1 resolve=0.000900000s;;;0; connect=0.000150000s;;;0; wait=0.000300000s;;;0; transfer=0.000000000s;;;0;
        NOWCHECK CRITICAL - 1 of 2 addresses: http://time.example/now at 192.0.2.7:80: down, no time: it answered 500 Internal Server Error, in phase content after 450 µs | time=0.004321000s;;;0; 'resolve_192.0.2.7:80_1'=0.000900000s;;;0; 'connect_192.0.2.7:80_1'=0.000150000s;;;0; 'wait_192.0.2.7:80_1'=0.000300000s;;;0; 'transfer_192.0.2.7:80_1'=0.000000000s;;;0; 'offset_192.0.2.7:80_2'=0.000005000s;-0.5:0.5;-1:1;; 'offset_bound_192.0.2.7:80_2'=0.000005000s;;;0; 'round_trip_192.0.2.7:80_2'=0.000170000s;;;0; 'miss_probability_192.0.2.7:80_2'=0.007812500;;;0;1 'resolve_192.0.2.7:80_2'=0.000900000s;;;0; 'connect_192.0.2.7:80_2'=0.000150000s;;;0; 'wait_192.0.2.7:80_2'=0.000300000s;;;0; 'transfer_192.0.2.7:80_2'=0.000000000s;;;0;
        NOWCHECK CRITICAL - 192.0.2.7:80: a cache answered instead of the service: its answer is 30 s old (Age header) | time=0.004321000s;;;0; resolve=0.000900000s;;;0; connect=0.000150000s;;;0; wait=0.000300000s;;;0; transfer=0.000000000s;;;0;
        NOWCHECK UNKNOWN - 192.0.2.7:80: cannot be decided: the offset lies between -200 ms and +1.30 s, the limit is ± 1 s | time=0.004321000s;;;0; offset=0.550000000s;-0.5:0.5;-1:1;; offset_bound=0.750000000s;;;0; round_trip=0.000170000s;;;0; miss_probability=0.007812500;;;0;1 resolve=0.000900000s;;;0; connect=0.000150000s;;;0; wait=0.000300000s;;;0; transfer=0.000000000s;;;0;
        NOWCHECK OK - in sync: +21 µs ± 85 µs (limit ± 1 s); ntp:a.example announces a leap second; ntp:liar.example is a falseticker | time=0.004321000s;;;0; offset=0.000021000s;-0.5:0.5;-1:1;; offset_bound=0.000085000s;;;0; round_trip=0.000170000s;;;0; miss_probability=0.007812500;;;0;1 resolve=0.000900000s;;;0; connect=0.000150000s;;;0; wait=0.000300000s;;;0; transfer=0.000000000s;;;0; certificate_days=10;;;;"#]].assert_eq(all.concat().trim_end());
}

#[test]
fn programs_get_one_json_object_with_all_digits() {
    expect![[r#"{"schema_version":1,"checked_at":"2026-11-23T20:11:51.123456789Z","duration":0.004321000,"status":"CRITICAL","reason":"desynchronized","summary":"1 of 4 backends, 0d: clock is 3.00 s behind: -3.000165 s ± 85 µs (limit ± 1 s)","limits":{"max_offset":1.000000000,"warn_offset":0.500000000},"reference":{"source":"system","status":"synchronized","max_error":0.000250000,"local_offset":null,"sources":[{"name":"system","address":null,"status":"truechimer","offset":null,"stratum":null,"leap":null,"root_delay":null,"root_dispersion":null,"round_trip":null,"smears":null,"message":null}],"notes":[]},"targets":[{"url":"http://time.example/now","address":"192.0.2.7:80","status":"CRITICAL","reason":"desynchronized","summary":"1 of 4 backends, 0d: clock is 3.00 s behind: -3.000165 s ± 85 µs (limit ± 1 s)","failure":null,"phases":{"resolve":0.000900000,"connect":0.000150000,"tls":null,"wait":0.000300000,"transfer":0.000000000},"certificate":null,"connections":8,"requests":16,"discarded":{"suspended":0,"clock_step":0,"scheduling":0},"miss_probability":0.0078125,"backends":[{"instance":"0a","status":"OK","reason":"in_sync","offset":{"estimate":0.000021000,"earliest":-0.000064000,"latest":0.000106000},"samples":16,"round_trip":{"min":0.000150000,"median":0.000170000,"max":0.000310000},"clock":{"status":"synchronized","max_error":0.000312}},{"instance":"0b","status":"OK","reason":"in_sync","offset":{"estimate":0.000021000,"earliest":-0.000064000,"latest":0.000106000},"samples":16,"round_trip":{"min":0.000150000,"median":0.000170000,"max":0.000310000},"clock":{"status":"synchronized","max_error":0.000312}},{"instance":"0c","status":"OK","reason":"in_sync","offset":{"estimate":0.000021000,"earliest":-0.000064000,"latest":0.000106000},"samples":16,"round_trip":{"min":0.000150000,"median":0.000170000,"max":0.000310000},"clock":{"status":"synchronized","max_error":0.000312}},{"instance":"0d","status":"CRITICAL","reason":"desynchronized","offset":{"estimate":-3.000165000,"earliest":-3.000250000,"latest":-3.000080000},"samples":16,"round_trip":{"min":0.000150000,"median":0.000170000,"max":0.000310000},"clock":{"status":"synchronized","max_error":0.000312}}],"notes":[]}]}"#]].assert_eq(&json::line(&one_of_four_behind(), words()).unwrap());
    expect![[r#"{"schema_version":1,"checked_at":"2026-11-23T20:11:51.123456789Z","duration":0.004321000,"status":"CRITICAL","reason":"down","summary":"1 of 2 addresses: http://time.example/now at 192.0.2.7:80: down, no time: it answered 500 Internal Server Error, in phase content after 450 µs","limits":{"max_offset":1.000000000,"warn_offset":0.500000000},"reference":{"source":"system","status":"synchronized","max_error":0.000250000,"local_offset":null,"sources":[{"name":"system","address":null,"status":"truechimer","offset":null,"stratum":null,"leap":null,"root_delay":null,"root_dispersion":null,"round_trip":null,"smears":null,"message":null}],"notes":[]},"targets":[{"url":"http://time.example/now","address":"192.0.2.7:80","status":"CRITICAL","reason":"down","summary":"down, no time: it answered 500 Internal Server Error, in phase content after 450 µs","failure":{"phase":"content","kind":"status","message":"it answered 500 Internal Server Error","elapsed":0.000450000,"http_status":500,"location":null,"body_start":null},"phases":{"resolve":0.000900000,"connect":0.000150000,"tls":null,"wait":0.000300000,"transfer":0.000000000},"certificate":null,"connections":1,"requests":1,"discarded":{"suspended":0,"clock_step":0,"scheduling":0},"miss_probability":null,"backends":[],"notes":[]},{"url":"http://time.example/now","address":"192.0.2.7:80","status":"OK","reason":"in_sync","summary":"in sync: +5.0 µs ± 5 µs (limit ± 1 s)","failure":null,"phases":{"resolve":0.000900000,"connect":0.000150000,"tls":null,"wait":0.000300000,"transfer":0.000000000},"certificate":null,"connections":8,"requests":16,"discarded":{"suspended":0,"clock_step":0,"scheduling":0},"miss_probability":0.0078125,"backends":[{"instance":null,"status":"OK","reason":"in_sync","offset":{"estimate":0.000005000,"earliest":0.000000000,"latest":0.000010000},"samples":16,"round_trip":{"min":0.000150000,"median":0.000170000,"max":0.000310000},"clock":null}],"notes":[]}]}"#]].assert_eq(&json::line(&down(), words()).unwrap());
    expect![[r#"{"schema_version":1,"checked_at":"2026-11-23T20:11:51.123456789Z","duration":0.004321000,"status":"OK","reason":"in_sync","summary":"in sync: +21 µs ± 85 µs (limit ± 1 s); ntp:a.example announces a leap second; ntp:liar.example is a falseticker","limits":{"max_offset":1.000000000,"warn_offset":0.500000000},"reference":{"source":"ntp","status":"synchronized","max_error":0.009000000,"local_offset":{"estimate":-3600.000000000,"earliest":-3600.004000000,"latest":-3599.996000000},"sources":[{"name":"ntp:a.example","address":"192.0.2.1:123","status":"truechimer","offset":{"estimate":0.000000000,"earliest":-0.009000000,"latest":0.009000000},"stratum":2,"leap":"insert","root_delay":0.015000000,"root_dispersion":0.001200000,"round_trip":0.000800000,"smears":false,"message":null},{"name":"ntp:b.example","address":null,"status":"truechimer","offset":{"estimate":0.001500000,"earliest":-0.012000000,"latest":0.015000000},"stratum":2,"leap":"none","root_delay":0.015000000,"root_dispersion":0.001200000,"round_trip":0.000800000,"smears":true,"message":null},{"name":"ntp:liar.example","address":null,"status":"falseticker","offset":{"estimate":5.000000000,"earliest":4.988000000,"latest":5.012000000},"stratum":2,"leap":"none","root_delay":0.015000000,"root_dispersion":0.001200000,"round_trip":0.000800000,"smears":false,"message":null},{"name":"ntp:silent.example","address":null,"status":"silent","offset":null,"stratum":null,"leap":null,"root_delay":null,"root_dispersion":null,"round_trip":null,"smears":null,"message":"no answer came: check that firewalls let UDP through to this port and back"}],"notes":[{"code":"leap_second_announced","message":"ntp:a.example announces a leap second at the end of the month"},{"code":"falseticker","message":"ntp:liar.example disagrees with the other references (a falseticker): +5.000 s ± 12 ms"},{"code":"reference_not_used","message":"ntp:silent.example was not used: no answer came: check that firewalls let UDP through to this port and back"},{"code":"smears_differ","message":"ntp:b.example smears leap seconds and ntp:a.example is not known to: near a leap second, they differ by up to a second"},{"code":"local_clock_wrong","message":"this machine's own clock is wrong: -3600.0000 s ± 4 ms from the reference; no verdict depends on it"}]},"targets":[{"url":"http://time.example/now","address":"192.0.2.7:80","status":"OK","reason":"in_sync","summary":"in sync: +21 µs ± 85 µs (limit ± 1 s)","failure":null,"phases":{"resolve":0.000900000,"connect":0.000150000,"tls":null,"wait":0.000300000,"transfer":0.000000000},"certificate":{"expires_at":"2026-12-03T20:11:51Z","days_left":10.000000},"connections":8,"requests":16,"discarded":{"suspended":2,"clock_step":0,"scheduling":1},"miss_probability":0.0078125,"backends":[{"instance":"3f9c2a7d","status":"OK","reason":"in_sync","offset":{"estimate":0.000021000,"earliest":-0.000064000,"latest":0.000106000},"samples":16,"round_trip":{"min":0.000150000,"median":0.000170000,"max":0.000310000},"clock":{"status":"synchronized","max_error":0.000312}}],"notes":[]}]}"#]].assert_eq(&json::line(&by_time_servers(), words()).unwrap());
}

#[test]
fn a_bar_in_a_message_does_not_begin_performance_data() {
    let detail = Some("it said a|b".to_owned());
    let outcome = outcome(vec![failed(StatusCode::BAD_GATEWAY, detail)]);
    assert!(human::line(&outcome).contains("a|b"));
    assert_eq!(nagios::lines(&outcome, false, Charset::Unicode).matches('|').count(), 1);
}

/// What is advised after a failure.
fn advised(cause: Cause) -> String {
    let failure = Failure { phase: Phase::Connect, cause, elapsed: Duration::ZERO };
    words().next_step(&target(Finding::of_failure(failure, Vec::new())), &LIMITS).unwrap()
}

fn status(status: StatusCode) -> Cause {
    Cause::Answer(Box::new(AnswerFault { status, problem: AnswerProblem::Status(None) }))
}

fn certificate(fault: CertificateFault) -> Cause {
    Cause::Tls(TlsFault::Certificate { fault, suspect: None })
}

fn name(name: &str, fault: NameFault) -> Cause {
    Cause::Name { name: name.to_owned(), fault }
}

#[test]
fn the_advice_fits_the_failure() {
    let host = || "time.example".to_owned();
    let other_version = || NameFault::OtherVersion { wanted: "IPv4", has: vec!["::1".parse().unwrap()] };
    let link_local = "[fe80::1]:80".parse().unwrap();
    let zone = || "lo".to_owned();
    let expired = CertificateFault::OutOfTime { breach: ValidityBreach::Expired { not_after: 1 }, time: 2 };
    for (cause, words, not) in [
        (certificate(CertificateFault::UnknownAuthority), "--ca-file FILE", "renewed"),
        (certificate(CertificateFault::SelfSigned), "--ca-file FILE", "renewed"),
        (
            certificate(CertificateFault::OtherName { host: host(), presented: None }),
            "a name that is in the certificate",
            "--ca-file",
        ),
        (certificate(expired), "renewed", "--ca-file"),
        (certificate(CertificateFault::ShortKey { bits: 1024 }), "another client", "--ca-file"),
        (Cause::Tls(TlsFault::UnknownName { host: host() }), "a certificate for", "--ca-file"),
        (status(StatusCode::SERVICE_UNAVAILABLE), "its load, its limits", "path"),
        (status(StatusCode::INTERNAL_SERVER_ERROR), "the logs of the service", "path"),
        (status(StatusCode::NOT_FOUND), "is the path right?", "logs"),
        (status(StatusCode::UNAUTHORIZED), "--user-file FILE", "path right"),
        (name("[::1]", other_version()), "name an IPv4 address", "DNS"),
        (name("time.example", other_version()), "in the DNS", "this machine"),
        (name("::1", NameFault::NeedlessZone { zone: zone() }), "without %lo", "interfaces"),
        (name("fe80::1", NameFault::UnknownZone { zone: zone() }), "this machine's interfaces", "DNS"),
        (
            Cause::Connection { address: link_local, fault: ConnectionFault::NoZone },
            "[fe80::1%25eth0]",
            "the fault is on this machine",
        ),
    ] {
        let advice = advised(cause.clone());
        assert!(advice.contains(words) && !advice.contains(not), "{cause}: {advice}");
    }
}
