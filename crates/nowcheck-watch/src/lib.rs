//! Watches services continuously: from the outcome of each round to incidents, alerts and availability.

pub mod availability;
pub mod incident;
