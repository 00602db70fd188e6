//! What the incidents need to know of a configuration.

use std::collections::BTreeMap;

use super::Config;
use crate::incident::{CheckPolicy, Maintenance, Policy, Receiver};

impl Config {
    /// Who is alerted of which check, and when nobody is.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let receivers = self.alerts.iter().map(|alert| Receiver {
            name: alert.name.clone(),
            after: alert.after,
            remind: alert.remind,
        });
        let checks = self.checks.iter().map(|check| {
            let alert = check.alert.as_ref().map(|names| names.iter().cloned().collect());
            (check.name.clone(), CheckPolicy { alert, needs: check.needs.iter().cloned().collect() })
        });
        let maintenance = self.maintenance.iter().map(|one| Maintenance {
            name: one.name.clone(),
            window: one.window.clone(),
            checks: one.checks.as_ref().map(|names| names.iter().cloned().collect()),
        });
        Policy {
            receivers: receivers.collect(),
            checks: checks.collect(),
            maintenance: maintenance.collect(),
            kept: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Config, System};

    #[test]
    fn receivers_needs_and_maintenance_are_those_of_the_file() {
        let text = "[[check]]\nname = \"shop\"\nurl = \"http://a\"\nneeds = [\"net\"]\nalert = [\"night\"]\n\
                    [[check]]\nname = \"net\"\nurl = \"http://b\"\n\
                    [[alert]]\nname = \"night\"\ntype = \"exec\"\ncommand = [\"/bin/true\"]\nafter = \"1m\"\nremind = \"4h\"\n\
                    [[maintenance]]\nname = \"patch\"\nfrom = \"2026-12-06T02:00Z\"\nfor = \"2h\"\nchecks = [\"shop\"]\n";
        let config = Config::parse("a.toml", text.as_bytes(), Path::new(""), &System).unwrap();
        let policy = config.policy();
        assert_eq!(
            (policy.receivers[0].after.as_secs(), policy.receivers[0].remind.unwrap().as_secs()),
            (60, 14_400)
        );
        assert!(policy.checks["shop"].needs.contains("net") && policy.checks["net"].alert.is_none());
        assert!(policy.checks["shop"].alert.as_ref().unwrap().contains("night"));
        let inside = "2026-12-06T03:00:00Z".parse().unwrap();
        assert!(policy.maintenance[0].covers("shop", inside) && !policy.maintenance[0].covers("net", inside));
    }
}
