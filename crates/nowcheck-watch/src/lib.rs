//! Watches services continuously: what `nowcheck` proves in one round, round after round.
//!
//! [`config`] turns a file into everything that is watched. It knows no flag and no terminal.

pub mod config;
