//! What a few answers prove about the offset of a server's clock.
//!
//! This crate is pure: it takes instants and readings, and returns intervals, verdicts and *actions* for
//! somebody else to perform. It owns no socket, file, clock or runtime, so every hard case of a round is a
//! plain test.
//!
//! The one idea: a server that is asked at the monotonic instant `sent` and whose answer is complete at
//! `received` read its clock somewhere between the two. Whatever the network did, its clock then showed, at
//! `received`, at least what it answered, and at most what it answered plus the round trip. Such bounds are
//! never averaged; bounds on the same clock are carried to one instant (widened by the drift that the two
//! clocks may have) and **intersected**, so asymmetric or jittery paths cost precision and never truth.
//! (The idea is Marzullo's: K. Marzullo, S. Owicki, "Maintaining the Time in a Distributed System", 1983; NTP
//! uses it to choose among servers, RFC 5905 section 11.2.1.)
//!
//! | module | what it holds |
//! |---|---|
//! | [`time`] | instants, lengths of time, offsets, drift: types that cannot be mixed, nanoseconds inside |
//! | [`interval`] | closed intervals: intersection, hull, carrying bounds from one instant to another |
//! | [`sample`] | one answer, and the bounds that it proves |
//! | [`backends`] | which samples came from one clock; how likely it is that a backend was never met |
//! | [`verdict`] | bounds on an offset against the limits |
//! | [`staleness`] | answers that do not move while time passes |
//! | [`exchange`] | what one exchange with a time server proves about the true time |
//! | [`selection`] | what several time servers agree on |
//! | [`plan`] | what to ask next, when, and when to stop |

pub mod backends;
pub mod exchange;
pub mod interval;
pub mod plan;
pub mod sample;
pub mod selection;
pub mod staleness;
pub mod time;
pub mod verdict;

pub use backends::{Backend, Evidence, connections_needed, group_by_clock, miss_probability};
pub use exchange::{ServerTimestamps, exchange_bounds};
pub use interval::{BoundedTime, Interval, ReferenceClock};
pub use plan::{Action, CERTAINTY, Conclusion, JudgedBackend, NewConnections, Plan, Rules, StopReason};
pub use sample::{Reading, Sample, Shown};
pub use selection::{Agreement, Clique, Selection, select};
pub use staleness::{Standstill, standstill};
pub use time::{Drift, MonotonicInstant, Offset, Span, TimeOfDay, UnixInstant};
pub use verdict::{Limits, Verdict, resembles_time_zone};
