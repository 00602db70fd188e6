//! What to do next when names are the matter, and not the service.

use std::time::Duration;

use super::{Setting, Words};
use crate::outcome::{Cause, CheckerFault, Finding, NameFault, TargetOutcome, is_literal};
use crate::text::figures::length;

/// A DNS that takes this long is the first thing to look at when time was short.
const SLOW: Duration = Duration::from_secs(1);

impl Words<'_> {
    /// What to do next, for a target whose name could not be resolved, or only slowly.
    pub(super) fn after_names(self, target: &TargetOutcome) -> Option<String> {
        if let Some(Cause::Name { name, fault }) = target.finding.failure().map(|failure| &failure.cause) {
            return self.after_name_fault(name, fault);
        }
        let was_short = matches!(
            target.finding,
            Finding::Undetermined(_) | Finding::CheckerFault(CheckerFault::CannotAsk(_))
        );
        let took = target.phases.resolve.filter(|&took| was_short && took >= SLOW)?;
        Some(format!(
            "the DNS took {} of the round: look at the name servers in /etc/resolv.conf, or set a longer {}",
            length(took),
            self.name(Setting::Timeout)
        ))
    }

    /// What to do next about a name that gave no address.
    pub(super) fn after_name_fault(self, name: &str, fault: &NameFault) -> Option<String> {
        match fault {
            NameFault::NotFound
            | NameFault::NoAddress
            | NameFault::Local(_)
            | NameFault::NotPermitted { .. } => None,
            NameFault::ServerFailure(_) => Some(format!(
                "look at the name servers in /etc/resolv.conf: does `getent ahosts {name}` answer?"
            )),
            NameFault::Silent(_) => Some(format!(
                "the DNS is slow or silent: look at the name servers in /etc/resolv.conf (`time getent ahosts \
                 {name}`), or set a longer {}",
                self.name(Setting::Timeout)
            )),
            NameFault::UnknownZone { .. } => Some("`ip address` lists this machine's interfaces".to_owned()),
            NameFault::NeedlessZone { zone } => Some(format!("write the address without %{zone}")),
            NameFault::OtherVersion { wanted, .. } if is_literal(name) => {
                Some(format!("check both IP versions, or name an {wanted} address"))
            }
            NameFault::OtherVersion { wanted, .. } => Some(format!(
                "check both IP versions, or give the name an {wanted} address in the DNS if the service has one"
            )),
        }
    }
}
