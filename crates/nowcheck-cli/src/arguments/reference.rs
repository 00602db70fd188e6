//! The flags that say what clocks are compared with, and how far that is trusted.

use clap::Args;

/// `--reference`, `--strict` and `--trust-system-clock`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReferenceArguments {
    /// What the clock is compared with: `system`, this machine's clock, or `ntp:HOST[:PORT]`, a time server. Repeat it for
    /// several: most of them have to agree, and one that does not is named. A time server is asked in each round.
    #[arg(long = "reference", value_name = "system|ntp:HOST[:PORT]", default_value = "system")]
    pub(crate) references: Vec<String>,

    /// Leave nothing to trust: UNKNOWN when nothing vouches for this machine's clock (as the reference), or when
    /// fewer than most of the references answered. --trust-system-clock does not change that.
    #[arg(long)]
    pub(crate) strict: bool,

    /// This machine's clock is known to be right: judge by it although its kernel does not vouch for it. Also for a service
    /// on this machine, which has the same clock. A bound that the kernel gives counts all the same.
    #[arg(long)]
    pub(crate) trust_system_clock: bool,
}
