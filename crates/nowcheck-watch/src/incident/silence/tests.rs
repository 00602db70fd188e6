use super::*;

use Meaning::{AsItSays, NetworkLost, Nothing};

/// Rounds by number. Who is heard is heard at once; who is silent was asked twice, for 15 seconds.
#[derive(Default)]
struct Watch(Silence<u32>, u32);

impl Watch {
    fn of(checks: &[&str]) -> Self {
        let mut watch = Self::default();
        watch.0.configure(checks.iter().copied());
        watch
    }

    /// Hosts 1 to 4 answer.
    fn of_four() -> Self {
        let mut watch = Self::of(&["1", "2", "3", "4"]);
        for host in 1..=4 {
            assert_eq!(watch.heard(host, 0), [(u32::from(host), AsItSays)]);
        }
        watch
    }

    fn hold(&mut self, check: &str, contact: Contact, second: u64) -> Vec<(u32, Meaning)> {
        let took = if matches!(contact, Contact::Heard(_)) { 0 } else { 15 };
        self.hold_for(took, check, contact, second)
    }

    fn hold_for(&mut self, took: u64, check: &str, contact: Contact, second: u64) -> Vec<(u32, Meaning)> {
        let held = Held { began: at(second), ended: at(second + took), shown: shown(second) };
        self.1 += 1;
        self.0.meet(check, contact, held, self.1)
    }

    fn heard(&mut self, host: u8, second: u64) -> Vec<(u32, Meaning)> {
        self.hold(&host.to_string(), Contact::Heard(of(host)), second)
    }

    fn silent(&mut self, host: u8, second: u64) -> Vec<(u32, Meaning)> {
        self.hold(&host.to_string(), Contact::Silent(of(host)), second)
    }

    /// It answered at first, and not in the last five of fifteen seconds.
    fn fell_silent(&mut self, host: u8, second: u64) -> Vec<(u32, Meaning)> {
        let contact = Contact::FellSilent(of(host), Duration::from_secs(5));
        self.hold(&host.to_string(), contact, second)
    }

    /// All of them are silent, and nothing is known yet.
    fn all_silent(&mut self, hosts: std::ops::RangeInclusive<u8>, second: u64) {
        for host in hosts {
            assert_eq!(self.silent(host, second), []);
        }
    }

    fn judge(&mut self, second: u64) -> Vec<(u32, Meaning)> {
        self.0.judge(at(second))
    }
}

fn at(second: u64) -> MonotonicInstant {
    MonotonicInstant::after_origin(Duration::from_secs(1_000 + second))
}

fn shown(second: u64) -> Timestamp {
    Timestamp::from_second(1_795_521_600 + i64::try_from(second).unwrap()).unwrap()
}

fn of(host: u8) -> BTreeSet<IpAddr> {
    BTreeSet::from([IpAddr::from([192, 0, 2, host])])
}

fn lost(hosts: usize, since: u64) -> Meaning {
    NetworkLost(Lost { hosts, since: shown(since) })
}

#[test]
fn a_silent_service_is_down_when_another_one_was_heard_while_it_was_asked() {
    let mut watch = Watch::of_four();
    watch.heard(2, 12);
    assert_eq!(watch.silent(1, 10), [(6, AsItSays)]);
    assert_eq!(watch.silent(1, 40), [(7, AsItSays)], "it is down until it is heard");
}

#[test]
fn who_is_heard_just_before_or_long_after_proves_nothing_about_that_round() {
    let mut watch = Watch::of_four();
    watch.heard(2, 10);
    assert_eq!(watch.silent(1, 10), [], "it may have been the last that came through");
    assert_eq!(watch.heard(3, 16), [(7, AsItSays)], "the network may have come back only then");
    assert_eq!(
        watch.silent(1, 40),
        [(6, AsItSays), (8, AsItSays)],
        "but now it is silent while others are heard"
    );
}

#[test]
fn when_nobody_is_heard_the_network_is_lost_and_no_service_is_down() {
    let mut watch = Watch::of_four();
    watch.all_silent(1..=3, 10);
    assert_eq!(watch.judge(26), [], "the fourth may still answer");
    watch.all_silent(4..=4, 12);
    let all: Vec<(u32, Meaning)> = (5..=8).map(|round| (round, lost(4, 10))).collect();
    assert_eq!(watch.judge(28), all);
    assert_eq!(watch.silent(1, 40), [(9, lost(4, 10))]);
    assert_eq!(watch.heard(2, 50), [(10, AsItSays)]);
    assert_eq!(watch.silent(3, 45), [(11, lost(4, 10))], "it was under way when the network came back");
    assert_eq!(watch.silent(4, 54), [(12, lost(4, 10))], "it may take some seconds until all are reached");
    assert_eq!(watch.heard(3, 60), [(13, AsItSays)]);
    assert_eq!(watch.silent(1, 70), [(14, AsItSays)], "others are heard, and it is silent still");
}

#[test]
fn a_network_that_is_lost_in_the_middle_of_a_round_is_not_the_fault_of_its_service() {
    let mut watch = Watch::of_four();
    watch.heard(2, 8);
    watch.heard(3, 9);
    assert_eq!(watch.fell_silent(1, 5), [], "they were heard before it fell silent");
    watch.all_silent(2..=4, 18);
    assert_eq!(watch.judge(34), [5 + 2, 8, 9, 10].map(|round| (round, lost(4, 15))));
}

#[test]
fn a_service_that_falls_silent_in_the_middle_of_a_round_is_down_when_others_are_heard_after_that() {
    let mut watch = Watch::of_four();
    watch.heard(2, 16);
    assert_eq!(watch.fell_silent(1, 5), [(6, AsItSays)]);

    let mut watch = Watch::of_four();
    watch.all_silent(1..=1, 2);
    assert_eq!(watch.fell_silent(1, 32), [(5, Nothing)], "it was heard once more");
    watch.heard(2, 50);
    assert_eq!(watch.silent(1, 62), [(6, AsItSays), (8, AsItSays)]);
}

#[test]
fn a_long_round_does_not_show_when_its_service_was_heard_last() {
    let mut watch = Watch::of_four();
    // It may have been at its beginning, before the network was lost.
    watch.hold_for(8, "2", Contact::Heard(of(2)), 5);
    assert_eq!(watch.silent(1, 10), []);
    assert_eq!(watch.silent(3, 12), []);
}

#[test]
fn the_network_may_be_lost_from_the_start() {
    let mut watch = Watch::of(&["1", "2", "3", "4"]);
    watch.all_silent(1..=4, 0);
    assert_eq!(watch.judge(16).len(), 4);
    assert_eq!(watch.silent(1, 30), [(5, lost(4, 0))]);
}

#[test]
fn when_the_time_is_over_three_silent_hosts_are_a_lost_network_and_fewer_are_down() {
    let mut watch = Watch::of_four();
    watch.all_silent(1..=2, 10);
    assert_eq!(watch.judge(99), []);
    assert_eq!(watch.judge(100), [(5, AsItSays), (6, AsItSays)]);

    let mut watch = Watch::of_four();
    watch.all_silent(1..=3, 10);
    assert_eq!(watch.judge(99), []);
    assert_eq!(watch.judge(100), [5, 6, 7].map(|round| (round, lost(3, 10))));
}

#[test]
fn three_that_are_down_are_found_although_the_only_other_one_is_seldom_asked() {
    let mut watch = Watch::of_four();
    watch.all_silent(1..=3, 10);
    watch.judge(100);
    assert_eq!(watch.heard(4, 120), [(8, AsItSays)]);
    watch.all_silent(1..=3, 130);
    assert_eq!(watch.judge(209), []);
    assert_eq!(watch.judge(210), [9, 10, 11].map(|round| (round, AsItSays)));
}

#[test]
fn a_network_that_was_lost_for_less_than_a_period_says_nothing_about_anybody() {
    let mut watch = Watch::of_four();
    watch.all_silent(1..=3, 10);
    assert_eq!(watch.heard(4, 32), [(8, AsItSays)]);
    assert_eq!(watch.silent(2, 20), [], "it was asked before that, and ended after it");
    assert_eq!(watch.heard(1, 40), [(5, Nothing), (10, AsItSays)]);
    assert_eq!(watch.heard(2, 50), [(6, Nothing), (9, Nothing), (11, AsItSays)]);
    assert_eq!(watch.silent(3, 40), [(7, AsItSays), (12, AsItSays)], "it was not the network alone");
}

#[test]
fn a_service_that_was_down_before_does_not_count_and_is_unknown_while_the_network_is_lost() {
    let mut watch = Watch::of_four();
    watch.heard(2, 12);
    assert_eq!(watch.silent(1, 10), [(6, AsItSays)]);
    watch.all_silent(2..=3, 22);
    assert_eq!(watch.judge(38), [], "two others do not suffice");
    watch.all_silent(4..=4, 28);
    assert_eq!(watch.judge(44).len(), 3);
    assert_eq!(watch.silent(1, 40), [(10, lost(3, 22))]);
    watch.heard(4, 60);
    assert_eq!(watch.silent(1, 70), [(12, AsItSays)], "it is down still");
}

#[test]
fn with_fewer_than_three_hosts_silence_is_believed_at_once() {
    let mut watch = Watch::of(&["1", "2", "on the same host", "local"]);
    watch.heard(1, 0);
    watch.heard(2, 0);
    watch.hold("on the same host", Contact::Heard(of(2)), 0);
    watch.hold("local", Contact::Unclear, 0);
    assert_eq!(watch.silent(1, 10), [(5, AsItSays)]);
}

#[test]
fn one_service_with_many_addresses_is_one_host() {
    let mut watch = Watch::of(&["shop", "blog"]);
    let addresses = |hosts: [u8; 3]| hosts.into_iter().flat_map(of).collect();
    assert_eq!(watch.hold("shop", Contact::Heard(addresses([1, 2, 3])), 0), [(1, AsItSays)]);
    assert_eq!(watch.hold("blog", Contact::Heard(addresses([4, 5, 6])), 0), [(2, AsItSays)]);
    assert_eq!(watch.hold("shop", Contact::Silent(addresses([1, 2, 3])), 10), [(3, AsItSays)]);
}

#[test]
fn a_round_that_hears_something_again_makes_the_silence_before_mean_nothing() {
    let mut watch = Watch::of_four();
    watch.all_silent(1..=1, 10);
    assert_eq!(watch.heard(1, 40), [(5, Nothing), (6, AsItSays)]);
    watch.all_silent(2..=2, 50);
    assert_eq!(watch.hold("2", Contact::Unclear, 80), [(7, Nothing), (8, AsItSays)]);
}

#[test]
fn silence_before_the_monitor_knows_that_it_has_no_route_is_part_of_that() {
    let mut watch = Watch::of_four();
    watch.all_silent(1..=1, 10);
    assert_eq!(watch.hold("1", Contact::CannotAsk, 40), [(5, Nothing), (6, AsItSays)]);
    for (host, round) in [(2, 7), (3, 8)] {
        assert_eq!(watch.hold(&format!("{host}"), Contact::CannotAsk, 40), [(round, AsItSays)]);
    }
    watch.all_silent(4..=4, 40);
    assert_eq!(watch.judge(60), [(9, lost(4, 10))]);
}

#[test]
fn a_configuration_with_fewer_hosts_ends_what_only_many_hosts_can_show() {
    let mut watch = Watch::of_four();
    watch.all_silent(1..=4, 10);
    watch.judge(30);
    watch.0.configure(["4"].into_iter());
    assert_eq!(watch.silent(4, 40), [(9, AsItSays)]);
    assert_eq!(watch.silent(1, 40), [], "it was under way when it was taken out");
}

#[test]
fn a_check_of_another_url_begins_anew() {
    let mut watch = Watch::of_four();
    watch.all_silent(1..=1, 10);
    watch.0.forget("1");
    watch.heard(2, 16);
    watch.all_silent(1..=1, 40);
    assert_eq!(watch.heard(1, 70), [(7, Nothing), (8, AsItSays)]);
}

#[test]
fn of_thousands_not_all_are_given_back_at_once_and_none_after_a_later_one() {
    let names: Vec<String> = (0..300).map(|number| format!("{number:03}")).collect();
    let mut watch = Watch::default();
    watch.0.configure(names.iter().map(String::as_str));
    for (number, name) in (0..).zip(&names) {
        let host = BTreeSet::from([IpAddr::from(u32::to_be_bytes(number))]);
        assert_eq!(watch.hold(name, Contact::Silent(host), 0), []);
    }
    assert_eq!(watch.judge(20).len(), AT_ONCE);
    let of_the_last = watch.hold("299", Contact::Silent(of(1)), 30);
    assert_eq!(of_the_last.iter().map(|(round, _)| *round).collect::<Vec<_>>(), [300, 301]);
    assert_eq!(watch.judge(21).len(), 299 - AT_ONCE);
    assert_eq!(watch.judge(22), []);
}

#[test]
fn what_waits_at_the_end_is_given_back() {
    let mut watch = Watch::of_four();
    watch.all_silent(1..=2, 10);
    assert_eq!(watch.0.end(), [5, 6]);
    assert_eq!(watch.0.end(), [0; 0]);
}
