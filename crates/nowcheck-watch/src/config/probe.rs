//! `[[probe]]`: the modules of `/probe`, and which URLs they may ask.

mod allowed;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use nowcheck::check::{Check, CheckError, DestinationRule};
use nowcheck::request_headers::RequestHeaders;
use nowcheck::target::Target;
use url::Url;

use super::check::{Defaults, RoundSettings};
use super::problem::Problem;
use super::section::Section;
use super::values::Secrets;

pub use allowed::AllowedUrl;

/// A module of `/probe`.
#[derive(Debug, Clone)]
pub struct ProbeModule {
    /// Its name, which no other module has.
    pub module: String,
    /// Which URLs may be probed; at least one.
    pub allow: Arc<[AllowedUrl]>,
    settings: RoundSettings,
    headers: RequestHeaders,
}

impl ProbeModule {
    /// The check of a URL, which connects to nothing that is not allowed. None if the URL itself is not.
    ///
    /// # Errors
    /// When the URL is none that can be checked.
    pub fn check(&self, url: &str) -> Result<Option<Check>, CheckError> {
        let check = self.build(url)?;
        let rule = Allowed(Arc::clone(&self.allow));
        let is_allowed = |target: &Target| !target.has_credentials() && rule.permits(target.url());
        if check.targets().iter().all(is_allowed) {
            Ok(Some(check.connecting_only_to(Arc::new(rule))))
        } else {
            Ok(None)
        }
    }

    /// The most that a round may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.settings.timeout.as_ref().map_or(Duration::MAX, |given| given.value)
    }

    /// A module may give addresses to more hosts than the one that is asked.
    fn build(&self, url: &str) -> Result<Check, CheckError> {
        let mut settings = Cow::Borrowed(&self.settings);
        loop {
            match settings.check(url, self.headers.clone()) {
                Err(CheckError::UnusedAddress { host }) => {
                    if let Some(given) = &mut settings.to_mut().resolve {
                        given.value.retain(|one| one.host() != host);
                    }
                }
                built => return built,
            }
        }
    }
}

/// Permits what a list covers.
struct Allowed(Arc<[AllowedUrl]>);

impl DestinationRule for Allowed {
    fn permits(&self, url: &Url) -> bool {
        self.0.iter().any(|allowed| allowed.covers_url(url))
    }

    fn permits_address(&self, url: &Url, address: IpAddr) -> bool {
        self.0.iter().any(|allowed| allowed.covers_address(url, address))
    }
}

/// Reads a module.
pub(super) fn read(section: Section<'_>, defaults: &Defaults, secrets: Secrets<'_>) -> Option<ProbeModule> {
    let section = section.without_defaults();
    let module = section.name("module");
    let patterns = section.list("allow");
    let settings = RoundSettings::read(&section, secrets).or(&defaults.round);
    let headers = settings.request_headers(&section);
    let patterns = patterns?;
    let mut allow = Vec::new();
    for text in &patterns.value {
        match AllowedUrl::parse(text) {
            Some(allowed) => allow.push(allowed),
            None => must_be_pattern(
                &section,
                patterns.line,
                &format!("[\"{}\"]", nowcheck::text::printable(text.as_bytes(), 60)),
            ),
        }
    }
    if patterns.value.is_empty() {
        must_be_pattern(&section, patterns.line, "[]");
    }
    if let (Some(warn), Some(max)) = (&settings.warn_offset, &settings.max_offset)
        && warn.value >= max.value
    {
        super::check::cannot_warn(&section, warn, max);
    }
    Some(ProbeModule { module: module?.value, allow: allow.into(), settings, headers: headers? })
}

fn must_be_pattern(section: &Section<'_>, line: Option<usize>, value: &str) {
    let must = "must list URLs such as \"https://*.example/*\": a scheme, a host and a path, of which host and path may have *";
    let problem = Problem::Value {
        key: "allow".to_owned(),
        value: value.to_owned(),
        must: must.to_owned(),
        closest: None,
    };
    section.wrong(line, problem);
}
