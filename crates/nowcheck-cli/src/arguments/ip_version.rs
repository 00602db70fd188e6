//! The flags that choose an IP version.

use clap::Args;
use nowcheck::probe::resolve::IpVersion;

use super::heading::TARGET;

/// `-4` and `-6`.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct IpVersionArguments {
    /// Use IPv4 addresses only, for URLs and references.
    #[arg(short = '4', long, conflicts_with = "ipv6", help_heading = TARGET)]
    ipv4: bool,

    /// Use IPv6 addresses only, for URLs and references.
    #[arg(short = '6', long, help_heading = TARGET)]
    ipv6: bool,
}

impl IpVersionArguments {
    /// The only version that is wanted, if one is.
    pub(crate) fn version(self) -> Option<IpVersion> {
        match (self.ipv4, self.ipv6) {
            (true, _) => Some(IpVersion::V4),
            (false, true) => Some(IpVersion::V6),
            (false, false) => None,
        }
    }
}
