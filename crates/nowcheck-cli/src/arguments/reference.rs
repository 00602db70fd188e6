//! The flags that say what clocks are compared with, and how far that is trusted.

use clap::Args;

use super::heading::REFERENCES;

/// `--reference`, `--strict` and `--trust-system-clock`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReferenceArguments {
    /// Compare with this clock: `system` (this machine's clock) or `ntp:HOST[:PORT]` (a time server). Repeat it for several
    /// references. More than half of them have to agree, and a note names each one that does not. Time servers are queried
    /// in each round.
    #[arg(long = "reference", value_name = "system|ntp:HOST[:PORT]", default_value = "system")]
    #[arg(help_heading = REFERENCES)]
    pub(crate) references: Vec<String>,

    /// Take nothing on trust: UNKNOWN if nothing vouches for this machine's clock as the reference, or if no more than half
    /// of the references answered. --trust-system-clock does not change that.
    #[arg(long, help_heading = REFERENCES)]
    pub(crate) strict: bool,

    /// Take this machine's clock to be right, even if its kernel does not vouch for it. Use it too for a service on this
    /// machine, which has the same clock. If the kernel gives an error bound, that bound still counts.
    #[arg(long, help_heading = REFERENCES)]
    pub(crate) trust_system_clock: bool,
}
