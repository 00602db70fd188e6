//! How the keys of a file are called: what a report says about settings names them.

use nowcheck::report::{Setting, SettingNames, Words};

/// The keys of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct FileKeys;

/// Sentences that name settings by their keys.
///
/// ```
/// use nowcheck::report::{Setting, SettingNames};
/// use nowcheck_watch::config::FileKeys;
///
/// assert_eq!(FileKeys.with(Setting::MaxOffset, "2s"), "max_offset = \"2s\"");
/// ```
#[must_use]
pub fn words() -> Words<'static> {
    Words::new(&FileKeys)
}

impl SettingNames for FileKeys {
    fn noun(&self) -> &'static str {
        "key"
    }

    fn name(&self, setting: Setting) -> &'static str {
        match setting {
            Setting::CaFile => "ca_file",
            Setting::ClientCertificate => "client_certificate",
            Setting::ClientKey => "client_key",
            Setting::Connections => "connections",
            Setting::DateCache => "date_cache",
            Setting::ExpectBackends => "expect_backends",
            Setting::Every => "every",
            Setting::Field => "field",
            Setting::Follow => "follow",
            Setting::Format => "format",
            Setting::MaxOffset => "max_offset",
            Setting::MissProbability => "miss_probability",
            Setting::Reference => "references",
            Setting::Samples => "samples",
            Setting::Strict => "strict",
            Setting::Timeout => "timeout",
            Setting::TrustSystemClock => "trust_system_clock",
            Setting::UserFile => "basic_auth_file",
            Setting::Zone => "zone",
        }
    }

    fn with(&self, setting: Setting, value: &str) -> String {
        let name = self.name(setting);
        match setting {
            Setting::Reference => format!("{name} = [{}]", toml_string(value)),
            Setting::Connections
            | Setting::ExpectBackends
            | Setting::Follow
            | Setting::Samples
            | Setting::Strict
            | Setting::TrustSystemClock => format!("{name} = {value}"),
            _ => format!("{name} = {}", toml_string(value)),
        }
    }
}

/// A text as TOML writes it.
fn toml_string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::DEFAULTS;

    #[test]
    fn every_key_that_a_report_names_is_one() {
        for setting in Setting::ALL {
            assert!(DEFAULTS.spelled(FileKeys.name(setting)).is_some(), "{setting:?}");
        }
    }

    #[test]
    fn a_setting_with_a_value_can_be_pasted_into_the_file() {
        for (setting, value, line) in [
            (Setting::MaxOffset, "2s", "max_offset = \"2s\""),
            (Setting::Reference, "ntp:HOST", "references = [\"ntp:HOST\"]"),
            (Setting::Connections, "1", "connections = 1"),
            (Setting::Follow, "true", "follow = true"),
            (Setting::Format, "%d \"%m\"", "format = \"%d \\\"%m\\\"\""),
        ] {
            assert_eq!(FileKeys.with(setting, value), line);
        }
    }
}
