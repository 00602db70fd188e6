//! Watches services continuously: from the outcome of each round to incidents, alerts and availability.
//!
//! [`config`] turns a file into everything that is watched. [`history`] remembers. It knows no flag and no terminal.

pub mod alerts;
pub mod availability;
pub mod board;
pub mod config;
mod dispatch;
pub mod drift;
mod export;
pub mod figures;
pub mod history;
pub mod http_client;
pub mod incident;
pub mod jumps;
pub mod log;
mod metrics;
pub mod monitor;
mod peers;
pub mod plot;
mod prober;
mod references;
pub mod report;
mod results;
mod scheduler;
mod side_thread;
mod slots;
pub mod status;
pub mod timestamps;
mod watched;
mod web;
