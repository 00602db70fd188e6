//! Whole days in random worlds in which everything is known: who is alerted of what, and when, follows from the world.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use clock_offset::{Interval, Limits, Offset, UnixInstant, Verdict};
use jiff::Timestamp;
use nowcheck::clock::Synchronization;
use nowcheck::outcome::{
    BackendOutcome, Cause, ConnectionFault, Failure, Finding, Outcome, Phase, ReferenceOutcome, Spread,
    Standing, TargetOutcome,
};
use nowcheck_watch::alerts::{Context, Notice, Outbox, Pending, Setback};
use nowcheck_watch::availability::Account;
use nowcheck_watch::incident::{
    Alerts, Change, ChangeKind, CheckPolicy, Event, Incidents, Maintenance, MonitorPart, Observation, Policy,
    Receiver, Round, Scope, ServiceStatus, Window,
};

const DAY: i64 = 86_400;
const CHECKS: usize = 20;
/// How they are called, and how long an incident is open before they are told.
const RECEIVERS: [(&str, i64); 4] = [("day", 0), ("late", 120), ("some", 0), ("nag", 0)];
/// The last of them is reminded this often.
const REMIND: i64 = 3_600;
const MAINTENANCE: (i64, i64) = (30_000, 40_000);

/// `SplitMix64`: the same world for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((mixed >> 33) % end.unsigned_abs()).expect("31 bits")
    }

    /// Spans of time that do not touch.
    fn spans(&mut self, pause: (i64, i64), length: (i64, i64)) -> Vec<Span> {
        let (mut spans, mut at) = (Vec::new(), 600);
        loop {
            at += pause.0 + self.below(pause.1);
            let until = at + length.0 + self.below(length.1);
            if until > DAY - 3_600 {
                return spans;
            }
            spans.push(Span { from: at, until, kind: self.below(2) == 0 });
            at = until;
        }
    }
}

#[derive(Clone, Copy)]
struct Span {
    from: i64,
    until: i64,
    kind: bool,
}

fn at(spans: &[Span], now: i64) -> Option<bool> {
    spans.iter().find(|span| span.from <= now && now < span.until).map(|span| span.kind)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Ok,
    Wrong,
    Down,
    Network,
    Reference,
}

impl Seen {
    fn is_bad(self) -> bool {
        matches!(self, Self::Wrong | Self::Down)
    }
}

struct Check {
    name: String,
    period: i64,
    phase: i64,
    is_named: bool,
    addresses: u16,
    troubles: Vec<Span>,
}

struct World {
    seed: u64,
    checks: Vec<Check>,
    /// The network, or the reference, is at fault.
    blind: Vec<Span>,
    /// The monitor does not run.
    off: Vec<Span>,
    /// The history cannot be written.
    disk: Vec<Span>,
    /// Each receiver fails, or rejects.
    broken: Vec<Vec<Span>>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let checks = (0..CHECKS).map(|nth| {
            let period = 10 + random.below(51);
            let flaps = nth + 1 == CHECKS;
            let (pause, length) = if flaps { ((100, 400), (70, 200)) } else { ((1_500, 20_000), (5, 4_000)) };
            let (phase, is_named) = (random.below(period), random.below(2) == 0);
            let addresses = if is_named { 1 } else { 1 + u16::from(random.below(2) == 0) };
            let troubles = random.spans(pause, length);
            Check { name: format!("check {nth}"), period, phase, is_named, addresses, troubles }
        });
        Self {
            seed,
            checks: checks.collect(),
            blind: random.spans((4_000, 12_000), (5, 1_500)),
            off: random.spans((2_000, 9_000), (1, 300)),
            disk: random.spans((6_000, 20_000), (1, 3_000)),
            broken: RECEIVERS.iter().map(|_| random.spans((3_000, 9_000), (2, 12_000))).collect(),
        }
    }

    fn is_slot(check: &Check, now: i64) -> bool {
        now % check.period == check.phase
    }

    /// What a round sees; none if it is not held.
    fn seen(&self, check: &Check, now: i64) -> Option<Seen> {
        let draw = Random(self.seed ^ (now.unsigned_abs() << 20) ^ check.period.unsigned_abs()).below(60);
        if !Self::is_slot(check, now) || at(&self.off, now).is_some() || draw == 0 {
            return None;
        }
        Some(match (at(&self.blind, now), at(&check.troubles, now)) {
            (Some(true), _) => Seen::Network,
            (Some(false), _) => Seen::Reference,
            (None, Some(true)) => Seen::Wrong,
            (None, Some(false)) => Seen::Down,
            (None, None) => Seen::Ok,
        })
    }
}

fn observation(check: &Check, seen: Seen) -> Observation {
    let refused = |fault| {
        let address = SocketAddr::from(([192, 0, 2, 1], 80));
        let cause = Cause::Connection { address, fault };
        Finding::of_failure(Failure { phase: Phase::Connect, cause, elapsed: Duration::ZERO }, Vec::new())
    };
    let answered = |verdict, seconds: i64| {
        Finding::of_backends(vec![BackendOutcome {
            instance: check.is_named.then(|| "a".into()),
            verdict,
            offset: Interval::point(Offset::from_nanos(i128::from(seconds) * 1_000_000_000)),
            tick: Duration::ZERO,
            step: Duration::ZERO,
            samples: 1,
            round_trip: Spread::default(),
            clock: None,
        }])
    };
    let finding = |port: u16| match seen {
        Seen::Wrong if port == 80 => answered(Verdict::Desynchronized, 60),
        Seen::Down if port == 80 => refused(ConnectionFault::Refused),
        Seen::Network => refused(ConnectionFault::NoRoute("no route".to_owned())),
        _ => answered(Verdict::InSync, 0),
    };
    if seen == Seen::Reference {
        return Observation::of_fault(MonitorPart::Reference);
    }
    let targets = (80..80 + check.addresses).map(|port| TargetOutcome {
        // Who was not asked was not missed.
        miss_probability: (seen != Seen::Network).then_some(0.001),
        ..TargetOutcome::new(
            "http://shop.example/now",
            Some(SocketAddr::from(([192, 0, 2, 1], port))),
            finding(port),
        )
    });
    Observation::from(&Outcome {
        checked_at: UnixInstant::from_nanos(0),
        duration: Duration::ZERO,
        limits: Limits { max_offset: Duration::from_secs(1), warn_offset: None },
        reference: ReferenceOutcome {
            standing: Standing::Agreed,
            system: Synchronization::Unsynchronized,
            max_error: None,
            local_offset: None,
            sources: Vec::new(),
        },
        targets: targets.collect(),
    })
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_521_600 + second).expect("a time of this century")
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(seconds.unsigned_abs())
}

fn stands_for(check: &Check) -> i64 {
    check.period * 3 / 2
}

/// The first check is needed by some; some are only for some receivers; some have a time of maintenance.
fn needs(nth: usize) -> bool {
    nth % 4 == 1
}

fn alerts(nth: usize, receiver: &str) -> bool {
    receiver != "some" || nth.is_multiple_of(3)
}

fn has_maintenance(nth: usize) -> bool {
    nth % 5 == 2
}

fn policy(world: &World) -> Policy {
    let of = |(nth, check): (usize, &Check)| {
        let chosen = RECEIVERS.iter().filter(|(name, _)| alerts(nth, name));
        let needs = needs(nth).then(|| world.checks[0].name.clone()).into_iter().collect();
        let alert = Some(chosen.map(|(name, _)| (*name).to_owned()).collect());
        (check.name.clone(), CheckPolicy { alert, needs })
    };
    let under_maintenance = world.checks.iter().enumerate().filter(|(nth, _)| has_maintenance(*nth));
    Policy {
        receivers: RECEIVERS
            .iter()
            .map(|(name, after)| Receiver {
                name: (*name).to_owned(),
                after: seconds(*after),
                remind: (*name == "nag").then(|| seconds(REMIND)),
            })
            .collect(),
        checks: world.checks.iter().enumerate().map(of).collect(),
        maintenance: vec![Maintenance {
            name: "patch day".to_owned(),
            window: Window::Once { from: second(MAINTENANCE.0), until: second(MAINTENANCE.1) },
            checks: Some(under_maintenance.map(|(_, check)| check.name.clone()).collect()),
        }],
        ..Policy::default()
    }
}

/// The monitor, and what it did.
struct Monitor<'a> {
    world: &'a World,
    policy: Policy,
    incidents: Incidents,
    alerts: Alerts,
    outbox: Outbox,
    accounts: Vec<Account>,
    observations: BTreeMap<(usize, Seen), Observation>,
    changes: Vec<Change>,
    /// Receiver, check, event, when.
    told: Vec<(String, Option<String>, Event, i64)>,
    decided: BTreeMap<String, i64>,
    arrived: Vec<String>,
    crashes: usize,
}

impl<'a> Monitor<'a> {
    fn new(world: &'a World) -> Self {
        Self {
            world,
            policy: policy(world),
            incidents: Incidents::default(),
            alerts: Alerts::default(),
            outbox: Outbox::default(),
            accounts: world.checks.iter().map(|_| Account::new(second(0))).collect(),
            observations: BTreeMap::new(),
            changes: Vec::new(),
            told: Vec::new(),
            decided: BTreeMap::new(),
            arrived: Vec::new(),
            crashes: 0,
        }
    }

    fn live(&mut self, now: i64) {
        if at(&self.world.off, now).is_some() {
            if at(&self.world.off, now - 1).is_none() {
                self.crash(now);
            }
            return;
        }
        for (nth, check) in self.world.checks.iter().enumerate().filter(|_| now < DAY) {
            // After the first check, which others need, and before their rounds.
            if nth == 1 && self.incidents.open().next().is_some() {
                self.decide(&[], now);
            }
            if !World::is_slot(check, now) {
                continue;
            }
            match self.world.seen(check, now) {
                Some(seen) => self.hold(nth, seen, now),
                None => self.accounts[nth].record(ServiceStatus::Unknown, Duration::ZERO, second(now)),
            }
        }
        if now < DAY {
            self.write(now);
        }
        self.deliver(now);
    }

    /// What the history says of itself each second.
    fn write(&mut self, now: i64) {
        let changes = match at(&self.world.disk, now) {
            Some(_) => self.incidents.report_fault(&MonitorPart::History, "the disk is full", second(now)),
            None => self.incidents.report_working(&MonitorPart::History, "it is written", second(now)),
        };
        if !changes.is_empty() {
            self.decide(&changes, now);
        }
        self.changes.extend(changes);
    }

    fn hold(&mut self, nth: usize, seen: Seen, now: i64) {
        let check = &self.world.checks[nth];
        let observed = self.observations.entry((nth, seen)).or_insert_with(|| observation(check, seen));
        let stands_for = seconds(stands_for(check));
        let round = Round {
            check: &check.name,
            observation: observed,
            summary: String::new(),
            stands_for,
            took: Duration::ZERO,
        };
        let changes = self.incidents.observe(&round, second(now));
        let status = self.incidents.status(&check.name, second(now));
        self.accounts[nth].record(status, stands_for, second(now));
        self.decide(&changes, now);
        self.changes.extend(changes);
    }

    fn decide(&mut self, changes: &[Change], now: i64) {
        for message in self.alerts.decide(&self.incidents, changes, &self.policy, second(now)) {
            let check = match &message.change.scope {
                Scope::Check(check) => Some(check.clone()),
                Scope::Monitor(_) => None,
            };
            self.told.push((message.receiver.clone(), check, message.event, now));
            let twice = self.decided.insert(message.id.clone(), now);
            assert_eq!(twice, None, "{} is the name of two messages", message.id);
            let body = Notice::new(&message, &Context::default()).to_json();
            self.outbox.add(Pending::new(&message.id, &message.receiver, body, second(now)));
        }
    }

    fn deliver(&mut self, now: i64) {
        if self.outbox.pending().is_empty() {
            return;
        }
        assert!(self.outbox.expired(second(now)).is_empty(), "no receiver fails for a day");
        if self.outbox.next_try().is_none_or(|next| next > second(now)) {
            return;
        }
        for message in self.outbox.start(second(now)) {
            assert!(now - self.decided[&message.id] < DAY, "{} is tried after a day", message.id);
            let nth = RECEIVERS.iter().position(|(name, _)| *name == message.receiver).expect("it is known");
            if let Some(is_rejected) = at(&self.world.broken[nth], now) {
                let setback = Setback { is_rejected, retry_after: None };
                self.outbox.failed(&message.receiver, &message.id, setback, second(now));
            } else {
                self.arrived.push(message.id.clone());
                self.outbox.delivered(&message.receiver, &message.id, None, second(now));
            }
        }
    }

    /// What is sent at that moment arrives, and nothing of that is stored.
    fn crash(&mut self, now: i64) {
        let stored = serde_json::to_string(&(&self.incidents, &self.alerts, self.outbox.pending()));
        for message in self.outbox.start(second(now)) {
            self.arrived.push(message.id);
        }
        let restored = serde_json::from_str(&stored.expect("the state can be stored"));
        let pending: Vec<Pending>;
        (self.incidents, self.alerts, pending) = restored.expect("what was stored can be restored");
        self.outbox = Outbox::new(pending);
        self.crashes += 1;
    }
}

/// An incident, as the world has it.
#[derive(Debug)]
struct Expected {
    opens: i64,
    closes: i64,
    /// When something is wrong, as far as rounds can tell.
    bad: Vec<(i64, i64)>,
}

/// The incidents of a check: from the first bad round to the first good one; the fifth within an hour stays until half an
/// hour of calm.
fn expected(world: &World, check: &Check) -> Vec<Expected> {
    let (mut all, mut starts): (Vec<Expected>, Vec<i64>) = (Vec::new(), Vec::new());
    let (mut open, mut flaps, mut calm, mut stood): (Option<Expected>, _, _, Option<i64>) =
        (None, false, 0, None);
    for now in (check.phase..DAY).step_by(usize::try_from(check.period).expect("it is positive")) {
        let Some(seen) = world.seen(check, now) else { continue };
        calm += stood.take().map_or(0, |since: i64| (now - since).min(stands_for(check)));
        if seen.is_bad() {
            calm = 0;
            let incident = open.get_or_insert_with(|| {
                starts.retain(|start| now - start < 3_600);
                starts.push(now);
                flaps = starts.len() >= 5;
                Expected { opens: now, closes: i64::MAX, bad: Vec::new() }
            });
            if incident.bad.last().is_none_or(|bad| bad.1 != i64::MAX) {
                incident.bad.push((now, i64::MAX));
            }
        } else if seen == Seen::Ok
            && let Some(mut incident) = open.take()
        {
            if let Some(bad) = incident.bad.last_mut().filter(|bad| bad.1 == i64::MAX) {
                (bad.1, calm) = (now, 0);
            }
            stood = Some(now);
            if flaps && calm < 1_800 {
                open = Some(incident);
                continue;
            }
            if flaps {
                starts.clear();
            }
            incident.closes = now;
            (flaps, stood) = (false, None);
            all.push(incident);
        }
    }
    all.extend(open);
    all
}

/// Whether the first check is ok, by a round that was held since the trouble was found, and was ok when it was seen last.
fn needed_is_ok(world: &World, opens: i64, troubled: i64, now: i64) -> bool {
    let check = &world.checks[0];
    let is_held = |then: &i64| world.seen(check, *then).is_some();
    // The latest round before that instant whose result stands then.
    let before = |at: i64| (at - stands_for(check) + 1..at).rev().find(is_held);
    let last = Some(now).filter(is_held).or_else(|| before(now));
    let Some(last) = last.filter(|last| *last >= opens) else { return false };
    let mut ok_since = last;
    let mut at = Some(last);
    while let Some(then) = at {
        if world.seen(check, then) != Some(Seen::Ok) {
            break;
        }
        ok_since = then;
        at = before(then);
    }
    world.seen(check, last) == Some(Seen::Ok) && ok_since <= troubled
}

/// When the receiver is told of it.
fn due(world: &World, nth: usize, after: i64, incident: &Expected) -> Option<i64> {
    let check = &world.checks[nth];
    let is_maintained = |at: i64| has_maintenance(nth) && (MAINTENANCE.0..MAINTENANCE.1).contains(&at);
    let is_due = |now: &i64| {
        let is_bad = |then: &i64| world.seen(check, *then).is_some_and(Seen::is_bad);
        let troubled = (incident.opens..=*now).rev().find(is_bad).expect("it opened with trouble");
        // After a pause of the monitor nobody is told of what was seen before.
        let stands = || (*now - stands_for(check) + 1..=*now).any(|then| world.seen(check, then).is_some());
        at(&world.off, *now).is_none()
            && *now - incident.opens >= after
            && stands()
            && !is_maintained(*now)
            && !is_maintained(troubled)
            && (!needs(nth) || needed_is_ok(world, incident.opens, troubled, *now))
    };
    // What is due in the second of a good round is sent before it, except of the first check.
    let last = i64::from(nth == 0);
    let mut bad = incident.bad.iter().flat_map(|(from, until)| *from..=(*until - last).min(DAY - 1));
    bad.find(is_due)
}

impl Monitor<'_> {
    /// Who was told of a check what and when is what the world says.
    fn alerts_are_right(&self) {
        for (nth, check) in self.world.checks.iter().enumerate() {
            let incidents = expected(self.world, check);
            for (receiver, after) in RECEIVERS {
                let told = |event| -> Vec<i64> {
                    let of_this = self.told.iter().filter(|(to, about, what, _)| {
                        to == receiver && about.as_deref() == Some(&check.name) && *what == event
                    });
                    of_this.map(|told| told.3).collect()
                };
                let mut opened = Vec::new();
                let mut closed = Vec::new();
                for incident in incidents.iter().filter(|_| alerts(nth, receiver)) {
                    if let Some(due) = due(self.world, nth, after, incident) {
                        opened.push(due);
                        closed.extend(Some(incident.closes).filter(|closes| *closes < DAY));
                    }
                }
                let of = format!("seed {}, {} to {receiver}", self.world.seed, check.name);
                assert_eq!(told(Event::Opened), opened, "opened: {of}");
                assert_eq!(told(Event::Closed), closed, "closed: {of}");
            }
        }
    }

    /// Who is reminded is told something of an open incident each hour, and no reminder comes sooner.
    fn reminders_are_right(&self) {
        let off =
            |from: i64, until: i64| (from..until).filter(|now| at(&self.world.off, *now).is_some()).count();
        for check in &self.world.checks {
            let told: Vec<(Event, i64)> = self
                .told
                .iter()
                .filter(|(to, about, ..)| to == "nag" && about.as_deref() == Some(&check.name))
                .map(|(.., event, when)| (*event, *when))
                .chain([(Event::Closed, DAY)])
                .collect();
            for pair in told.windows(2).filter(|pair| pair[0].0 != Event::Closed) {
                let [(_, before), (event, now)] = [pair[0], pair[1]];
                let of = format!("seed {}, {}, {event:?} {now} after {before}", self.world.seed, check.name);
                let slack = i64::try_from(off(before, now)).expect("seconds of a day") + 1;
                assert!(now - before <= REMIND + slack, "{of}");
                assert!(event != Event::Reminder || now - before >= REMIND, "{of}");
            }
        }
    }

    /// Each fault of the monitor that a round meets is one incident.
    fn faults_are_right(&self) {
        let meets = |span: &&Span| {
            let mut seconds = span.from..span.until;
            seconds.any(|now| self.world.checks.iter().any(|check| self.world.seen(check, now).is_some()))
        };
        for (part, kind) in [(MonitorPart::Network, true), (MonitorPart::Reference, false)] {
            let spans = self.world.blind.iter().filter(|span| span.kind == kind);
            let scope = Scope::Monitor(part);
            let opened = self.changes.iter().filter(|change| change.scope == scope);
            let opened = opened.filter(|change| change.kind == ChangeKind::Opened).count();
            assert_eq!(opened, spans.filter(meets).count(), "seed {}, {scope:?}", self.world.seed);
        }
        let is_met = |span: &&Span| (span.from..span.until).any(|now| at(&self.world.off, now).is_none());
        let of_disk =
            self.changes.iter().filter(|change| change.scope == Scope::Monitor(MonitorPart::History));
        let opened = of_disk.filter(|change| change.kind == ChangeKind::Opened).count();
        assert_eq!(opened, self.world.disk.iter().filter(is_met).count(), "seed {}", self.world.seed);
    }

    /// Each message arrives, and twice only if the program ended in between.
    fn nothing_is_lost(&self) {
        let seed = self.world.seed;
        let arrived: BTreeSet<&String> = self.arrived.iter().collect();
        assert_eq!(arrived, self.decided.keys().collect(), "seed {seed}");
        let twice = self.arrived.len() - arrived.len();
        assert!(twice <= self.crashes * RECEIVERS.len(), "seed {seed}: {twice} arrived twice");
        assert!(self.outbox.pending().is_empty(), "seed {seed}");
    }

    /// The four kinds of time sum to the whole, and are the truth except for the unknown time and a result's length.
    fn times_add_up(&self) {
        for (check, account) in self.world.checks.iter().zip(&self.accounts) {
            let of = format!("seed {}, {}", self.world.seed, check.name);
            let times = account.until(second(DAY));
            assert_eq!(times.total(), seconds(DAY), "{of}");
            let truth: i64 = check.troubles.iter().map(|span| span.until - span.from).sum();
            let count = i64::try_from(check.troubles.len()).expect("few");
            let slack = seconds(count * stands_for(check));
            let bad = times.wrong + times.down;
            assert!(bad <= seconds(truth) + slack, "{of}: {times:?}, truly {truth} s");
            assert!(bad + times.unknown + slack >= seconds(truth), "{of}: {times:?}, truly {truth} s");
            assert!(times.ok <= seconds(DAY - truth) + slack, "{of}: {times:?}, truly {truth} s");
        }
    }
}

#[expect(clippy::print_stderr, reason = "says the seed of a failure")]
fn live_a_day(seed: u64) {
    eprintln!("seed {seed}");
    let world = World::new(seed);
    let mut monitor = Monitor::new(&world);
    for now in 0..DAY + 4 * 3_600 {
        monitor.live(now);
    }
    monitor.alerts_are_right();
    monitor.reminders_are_right();
    monitor.faults_are_right();
    monitor.nothing_is_lost();
    monitor.times_add_up();
}

#[test]
fn no_alert_of_a_day_is_wrong_or_missing_or_twice() {
    (0..3).for_each(live_a_day);
}

#[test]
fn no_alert_of_another_day_is_wrong_or_missing_or_twice() {
    (12..15).for_each(live_a_day);
}
