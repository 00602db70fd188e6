//! A hundred thousand rounds in random worlds: no verdict is wrong, and what a decision costs.
//!
//! Everything is drawn by a generator with a fixed seed, so the figures are the same each time. The test
//! fails when the page that shows them (`docs/simulated-rounds.md`) is out of date. To write it anew, run
//! `UPDATE_DOCS=1 cargo test -p clock-offset --test simulator`.

mod world;

use std::fmt::Write;
use std::path::Path;

use clock_offset::{Offset, Verdict};
use world::{DAY, Random, SECOND, ServerClock, Turns, World, is_within, to_the_nearest_day};

const ROUNDS: u32 = 10_000;

/// A kind of world, by what its reader would call it.
struct Situation {
    name: &'static str,
    draw: fn(&mut Random) -> World,
}

const SITUATIONS: [Situation; 10] = [
    Situation { name: "nowd, local network", draw: |random| drawn(random, LOCAL) },
    Situation { name: "nowd, wide network, asymmetric", draw: |random| drawn(random, WIDE) },
    Situation {
        name: "nowd, wide network, loss (pauses of 1 s)",
        draw: |random| {
            let mut world = drawn(random, WIDE);
            let lost = usize::try_from(random.below(8)).unwrap_or_default();
            world.delays[lost].0 += 1_000_000_000;
            world
        },
    },
    Situation {
        name: "4 backends, each names itself, local",
        draw: |random| replicas(drawn(random, LOCAL), random, 4),
    },
    Situation {
        name: "4 backends, each names itself, wide",
        draw: |random| replicas(drawn(random, WIDE), random, 4),
    },
    Situation {
        name: "`HH:MM:SS`, local network",
        draw: |random| whole_seconds(drawn(random, LOCAL), false),
    },
    Situation { name: "`HH:MM:SS`, wide network", draw: |random| whole_seconds(drawn(random, WIDE), false) },
    Situation {
        name: "`Date`, renewed in time, local",
        draw: |random| whole_seconds(drawn(random, LOCAL), true),
    },
    Situation {
        name: "`Date`, cached up to 1 s, local",
        draw: |random| World { may_lag: 1_000_000_000, ..whole_seconds(drawn(random, LOCAL), true) },
    },
    Situation {
        name: "nowd, the reference known to ± 100 ms",
        draw: |random| {
            let below = i128::from(random.below(200_000_000));
            World { reference_slack: (below, 200_000_000 - below), ..drawn(random, WIDE) }
        },
    },
];

/// Delays in nanoseconds: at least, and up to that much more, on each way.
type Network = (u64, u64);
const LOCAL: Network = (30_000, 400_000);
const WIDE: Network = (1_000_000, 100_000_000);

/// One nowd whose clock is anywhere, and often close to the limit of one second, where a mistake would show.
fn drawn(random: &mut Random, (least, more): Network) -> World {
    let offset = match random.below(4) {
        0 => i128::from(random.below(4_000_000_000)) - 2 * SECOND,
        1 => SECOND + i128::from(random.below(40_000_000)) - 20_000_000,
        2 => -SECOND + i128::from(random.below(40_000_000)) - 20_000_000,
        _ => i128::from(random.below(86_400_000)) * 1_000_000 - DAY / 2,
    };
    let mut rate = || i128::from(random.below(1_001)) - 500;
    let (clock_rate, reference_rate) = (rate(), rate());
    World {
        clocks: vec![ServerClock { offset, rate_ppm: clock_rate }],
        named: true,
        turns: Turns::OfConnections(vec![0]),
        connecting: 2 * least + random.below(more),
        delays: (0..8).map(|_| (least + random.below(more), least + random.below(more))).collect(),
        step: 1,
        may_lag: 0,
        lags: (0..8).map(|_| u8::try_from(random.below(256)).unwrap_or_default()).collect(),
        date_is_said: true,
        keeps_open: random.below(4) > 0,
        phase: i128::from(random.below(86_400_000_000)) * 1_000,
        reference_slack: (0, 0),
        reference_rate_ppm: i32::try_from(reference_rate).unwrap_or_default(),
        limit: 1_000_000_000,
        requests_per_connection: 2,
        max_requests: 464,
    }
}

/// The same behind a balancer that draws a backend for each connection; the others are right.
fn replicas(world: World, random: &mut Random, count: u64) -> World {
    let mut clocks = world.clocks.clone();
    clocks.extend(
        (1..count)
            .map(|_| ServerClock { offset: i128::from(random.below(20_000_000)) - 10_000_000, rate_ppm: 0 }),
    );
    let turns = (0..256).map(|_| usize::try_from(random.below(count)).unwrap_or_default()).collect();
    World { clocks, turns: Turns::OfConnections(turns), ..world }
}

/// A service that says whole seconds only and does not name itself.
fn whole_seconds(world: World, date_is_said: bool) -> World {
    World { step: SECOND, named: false, date_is_said, ..world }
}

/// What the rounds of one situation came to.
#[derive(Default)]
struct Figures {
    ok: u32,
    critical: u32,
    unknown: u32,
    wrong: u32,
    outside: u32,
    missed: u32,
    requests: Vec<usize>,
    half_widths: Vec<u128>,
}

impl Figures {
    fn hold(&mut self, world: &World) {
        let (plan, givers) = world.round();
        let conclusion = plan.conclusion();
        self.requests.push(plan.samples().len());
        let mut worst = Verdict::InSync;
        let mut met = vec![false; world.clocks.len()];
        for judged in &conclusion.backends {
            worst = worst.max(judged.verdict);
            self.half_widths.push(judged.offset.half_width().as_nanos());
            let giver = givers[judged.backend.samples[0]];
            met[giver] = true;
            let truth = world.truth(giver, judged.backend.bounds.at);
            let truth = if world.date_is_said { truth } else { to_the_nearest_day(truth, judged) };
            self.outside += u32::from(!judged.offset.contains(Offset::from_nanos(truth)));
            let is_right = match judged.verdict {
                Verdict::InSync => is_within(truth, world.limit),
                Verdict::Desynchronized => !is_within(truth, world.limit),
                Verdict::NotWithinWarning | Verdict::Undetermined => true,
            };
            self.wrong += u32::from(!is_right);
        }
        self.missed += u32::from(met.contains(&false));
        match worst {
            Verdict::InSync => self.ok += 1,
            Verdict::Desynchronized => self.critical += 1,
            Verdict::NotWithinWarning | Verdict::Undetermined => self.unknown += 1,
        }
    }

    fn row(&mut self, name: &str) -> String {
        self.requests.sort_unstable();
        self.half_widths.sort_unstable();
        let at = |percent: usize| self.requests[(self.requests.len() - 1) * percent / 100];
        let half_width = self.half_widths[(self.half_widths.len() - 1) / 2];
        let share = |count: u32| f64::from(count) * 100.0 / f64::from(ROUNDS);
        format!(
            "| {name} | {} | {} | {:.1} % | {:.1} % | {:.1} % | {:.2} % | {} | {} | {} | {} |\n",
            self.wrong,
            self.outside,
            share(self.ok),
            share(self.critical),
            share(self.unknown),
            share(self.missed),
            at(50),
            at(95),
            at(100),
            milliseconds(half_width),
        )
    }
}

fn milliseconds(nanos: u128) -> String {
    format!("{}.{:02} ms", nanos / 1_000_000, nanos / 10_000 % 100)
}

const INTRODUCTION: &str = "\
# Simulated rounds

This page is for people who want evidence that the method is right. The crate `clock-offset` holds whole rounds in random
worlds, on a virtual clock. Each conclusion is compared with the truth, which only the simulated world knows.

| setting | value |
|---|---|
| rounds of each situation | 10,000 |
| clocks within 20 ms of the limit of one second | half of them |
| delays | drawn for each way on its own |
| drift between the clocks | up to 1,000 ppm |

The columns of the results:

| column | meaning |
|---|---|
| wrong | backends with a verdict of OK or CRITICAL that is not true |
| outside | backends whose true offset is not in the interval |
| missed | rounds that ended before every backend was met; the promise is at most 1 % |
| requests, 95 %, most | median, 95th percentile and maximum of a round, including the requests that look for backends |
| half-width | median of the bound on the offset |

| situation | wrong | outside | OK | CRITICAL | UNKNOWN | missed | requests | 95 % | most | half-width |
|---|---|---|---|---|---|---|---|---|---|---|
";

const ABOUT_THE_TEST: &str = "
The test `crates/clock-offset/tests/simulator.rs` draws the same worlds each time. It fails if this page does not show its
results, or if any verdict or interval is wrong.
";

#[test]
fn in_a_hundred_thousand_rounds_no_verdict_is_wrong_and_the_page_shows_what_they_took() {
    let mut page = INTRODUCTION.to_owned();
    for (index, situation) in SITUATIONS.iter().enumerate() {
        let mut random = Random::from(20_261_123 + index as u64);
        let mut figures = Figures::default();
        for _ in 0..ROUNDS {
            figures.hold(&(situation.draw)(&mut random));
        }
        // Writing to a string cannot fail.
        let _ = write!(page, "{}", figures.row(situation.name));
        assert_eq!((figures.wrong, figures.outside), (0, 0), "{}", situation.name);
        assert!(figures.missed * 100 <= ROUNDS, "{}: {} missed", situation.name, figures.missed);
        assert!(figures.unknown < ROUNDS, "{}: never says anything", situation.name);
    }
    page.push_str(ABOUT_THE_TEST);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/simulated-rounds.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let shown = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(shown, page, "docs/simulated-rounds.md is out of date; UPDATE_DOCS=1 writes it");
}
