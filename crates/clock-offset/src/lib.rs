//! What a few answers prove about the offset of a server's clock.
//!
//! This crate is pure. It takes instants and readings, and returns intervals, verdicts and *actions*, which
//! the caller performs. It owns no socket, file, clock or runtime, so every hard case of a round is a plain
//! test.
//!
//! # The idea
//!
//! A server is asked at the monotonic instant `sent`, and its answer is complete at `received`. It read its
//! clock somewhere between the two. So whatever the network did, its clock showed at `received`
//!
//! * at least what it answered, and
//! * at most what it answered plus the round trip.
//!
//! Such bounds are never averaged. Bounds on the same clock are carried to one instant, widened by the drift
//! that the two clocks may have, and **intersected**. So a path that is asymmetric or jitters costs precision
//! and never truth. The idea is from K. Marzullo and S. Owicki, "Maintaining the Time in a Distributed
//! System", 1983. NTP uses it to choose among servers (RFC 5905 section 11.2.1).
//!
//! # A round
//!
//! A [`Plan`] says what to do next, the caller does it and records the answers, and the [`Conclusion`] is
//! what they prove. Here the server is simulated: its clock is 3 ms ahead, and 200 µs away.
//!
//! ```
//! use std::time::Duration;
//!
//! use clock_offset::{
//!     Action, BoundedTime, Drift, Interval, Limits, MonotonicInstant, NewConnections, Offset, Plan, Reading,
//!     ReferenceClock, Rules, Sample, Shown, Span, StopReason, UnixInstant, Verdict,
//! };
//!
//! // At the origin of the monotonic clock, the reference shows noon.
//! let noon = UnixInstant::from_nanos(1_795_521_600_000_000_000);
//! let bounds = BoundedTime { at: MonotonicInstant::ORIGIN, shows: Interval::point(noon) };
//! let reference = ReferenceClock { bounds, drift: Drift::DISCIPLINED };
//!
//! let travel = Duration::from_micros(200);
//! let answer = |sent: MonotonicInstant, connection: u32| {
//!     let read_at = sent + travel;
//!     let ahead = Span::from(Duration::from_millis(3));
//!     let shown = noon + (read_at - MonotonicInstant::ORIGIN) + ahead;
//!     let step = Duration::from_nanos(1);
//!     let shown = Shown::Instant(Interval::new(shown, shown + Span::from(step)));
//!     Sample {
//!         sent,
//!         received: read_at + travel,
//!         reading: Reading { shown, step, may_lag: Duration::ZERO },
//!         instance: Some("3f9c2a7d".into()),
//!         connection,
//!     }
//! };
//!
//! let rules = Rules {
//!     limits: Limits { max_offset: Duration::from_secs(1), warn_offset: None },
//!     drift: Drift::DISCIPLINED,
//!     requests_per_connection: 2,
//!     miss_probability: 0.01,
//!     expected_backends: None,
//!     max_requests: 64,
//!     max_connections: 8,
//!     last_start: MonotonicInstant::after_origin(Duration::from_secs(5)),
//! };
//! let mut plan = Plan::new(rules, reference);
//! let (mut now, mut opened) = (MonotonicInstant::ORIGIN, 0);
//! let reason = loop {
//!     match plan.next(now) {
//!         Action::Open(NewConnections { count, requests, at, keep }) => {
//!             let connections = opened..opened + count;
//!             opened += count;
//!             let mut sent = at;
//!             for _ in 0..requests {
//!                 for connection in connections.clone() {
//!                     let sample = answer(sent, connection);
//!                     now = sample.received;
//!                     plan.record(sample, true);
//!                 }
//!                 sent = now;
//!             }
//!             if !keep {
//!                 connections.for_each(|connection| plan.connection_was_closed(connection));
//!             }
//!         }
//!         Action::Ask { connection, at } => {
//!             let sample = answer(at, connection);
//!             now = sample.received;
//!             plan.record(sample, true);
//!         }
//!         Action::Stop(reason) => break reason,
//!     }
//! };
//!
//! assert_eq!(reason, StopReason::Decided);
//! let conclusion = plan.conclusion();
//! let [judged] = &conclusion.backends[..] else { panic!("one clock looks like several") };
//! assert_eq!(judged.verdict, Verdict::InSync);
//! assert!(judged.offset.contains(Offset::from_nanos(3_000_000)));
//! // Known to about the time that the packets traveled.
//! assert!(judged.offset.half_width() < Duration::from_micros(250));
//! ```
//!
//! # The modules
//!
//! | module | what it holds |
//! |---|---|
//! | [`time`] | instants, lengths of time, offsets, drift: types that cannot be mixed, nanoseconds inside |
//! | [`interval`] | closed intervals; bounds on a clock, carried from one instant to another |
//! | [`sample`] | one answer, and the bounds that it proves |
//! | [`backends`] | which samples came from one clock; how likely it is that a backend was never met |
//! | [`verdict`] | bounds on an offset against the limits |
//! | [`drift`] | all lines through the offsets of a window: drift, steps, and when a limit will be exceeded |
//! | [`pace`] | readings that do not advance as clocks do, and so are no times |
//! | [`staleness`] | answers that do not move while time passes |
//! | [`exchange`] | what one exchange with a time server proves about the true time |
//! | [`selection`] | what several time servers agree on |
//! | [`plan`] | what to ask next, when, and when to stop |
//! | [`steady`] | a round of a monitor that has just proven the clock right: the fewest requests |

pub mod backends;
pub mod drift;
pub mod exchange;
pub mod interval;
pub mod pace;
pub mod plan;
mod renewal;
pub mod sample;
pub mod selection;
pub mod staleness;
pub mod steady;
mod tick;
pub mod time;
pub mod verdict;

pub use backends::{Backend, Evidence, connections_needed, group_by_clock, miss_probability};
pub use drift::{DriftRate, DriftWindow, Forecast, Observation, ObservationError, Step, Trend, WindowSize};
pub use exchange::{ServerTimestamps, exchange_bounds};
pub use interval::{BoundedTime, Interval, ReferenceClock};
pub use pace::{NotAClock, Pace};
pub use plan::{
    Action, Batch, CERTAINTY, Conclusion, Gentleness, JudgedBackend, KeepsRejecting, MAX_CONNECTIONS,
    NewConnections, Plan, Rejection, RejectionKind, Rules, SLOW, StopReason, is_coarse_step,
};
pub use sample::{Reading, Sample, Shown};
pub use selection::{Agreement, Clique, Selection, select};
pub use staleness::{Patience, Standstill, standstill};
pub use steady::{Memory, SteadyAction, SteadyDoubt, SteadyProof, SteadyRound, SteadyRules};
pub use time::{Drift, MonotonicInstant, Offset, Span, TimeOfDay, UnixInstant};
pub use verdict::{Limits, Verdict, resembles_time_zone};
