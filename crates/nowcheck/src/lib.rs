//! nowcheck: proves that a service is up and that its clock is right.
//!
//! The way of a round: [`cli`] → [`invocation`] → [`check`] → [`round`], which lets the pure plan of the crate `clock-offset`
//! decide what to ask and performs it with [`probe`] → [`outcome`] → [`report`]. [`watch`] repeats that.

pub mod answer;
pub mod check;
pub mod cli;
pub mod clock;
pub mod invocation;
pub mod outcome;
pub mod parallel;
pub mod print;
pub mod probe;
pub mod reference;
pub mod report;
pub mod round;
pub mod scheduling;
pub mod target;
pub mod text;
pub mod time_format;
pub mod watch;
