//! `[[probe]]`: the modules of `/probe`, and which URLs they may ask.

mod allowed;

use nowcheck::check::{Check, CheckError};
use nowcheck::request_headers::RequestHeaders;

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
    pub allow: Vec<AllowedUrl>,
    settings: RoundSettings,
    headers: RequestHeaders,
}

impl ProbeModule {
    /// Whether a URL may be probed.
    #[must_use]
    pub fn allows(&self, url: &str) -> bool {
        self.allow.iter().any(|allowed| allowed.covers(url))
    }

    /// The check of a URL. Ask [`Self::allows`] before.
    ///
    /// # Errors
    /// When the URL is none that can be checked.
    pub fn check(&self, url: &str) -> Result<Check, CheckError> {
        self.settings.check(url, self.headers.clone())
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
    Some(ProbeModule { module: module?.value, allow, settings, headers: headers? })
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
