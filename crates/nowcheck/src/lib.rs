//! One check: proves in one round that a service is up and that its clock is right.
//!
//! This library knows no flag, no configuration file and no terminal. A program makes a [`check::Check`], holds rounds with
//! [`round::hold`], and turns each [`outcome::Outcome`] into bytes, with the sentences of [`report`].
//!
//! The way of a round: [`check`] → [`round`], which queries the [`mod@reference`], lets the pure plan of the crate
//! `clock-offset` decide what to ask, and performs it with [`probe`] → [`outcome`] → [`report`].

pub mod answer;
pub mod check;
pub mod clock;
pub mod endpoint;
pub mod input_file;
pub mod outcome;
pub mod parallel;
pub mod probe;
pub mod reference;
pub mod report;
pub mod request_headers;
pub mod round;
pub mod run_delay;
pub mod schedule;
pub mod target;
pub mod text;
pub mod time_format;
pub mod zone;
