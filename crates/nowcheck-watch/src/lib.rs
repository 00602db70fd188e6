//! Watches services continuously: from the outcome of each round to incidents, alerts and availability.
//!
//! [`config`] turns a file into everything that is watched. It knows no flag and no terminal.

pub mod availability;
pub mod config;
pub mod incident;
