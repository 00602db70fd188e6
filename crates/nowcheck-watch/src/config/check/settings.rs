//! How a round measures: the values of one table, and what they make.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use nowcheck::answer::{Field, TimeSelector};
use nowcheck::check::{Check, CheckError};
use nowcheck::probe::address_overrides::AddressOverride;
use nowcheck::probe::resolve::IpVersion;
use nowcheck::probe::tls::Trust;
use nowcheck::probe::tls::identity::ClientIdentity;
use nowcheck::reference::source::ReferenceSource;
use nowcheck::request_headers::{RequestHeaders, basic_from_line};
use nowcheck::time_format::{Form, Format, Notation};

use crate::config::problem::Problem;
use crate::config::secret::Secret;
use crate::config::section::{Given, Section};
use crate::config::values::Secrets;

/// Defines the settings together with how one table inherits from another: a key that is forgotten in one place only cannot be.
macro_rules! settings {
    ($($key:ident: $kind:ty,)*) => {
        /// How a round measures; nothing where a key is not given.
        #[derive(Debug, Clone)]
        pub(in crate::config) struct RoundSettings {
            $(pub(in crate::config) $key: Option<Given<$kind>>,)*
        }

        impl RoundSettings {
            /// These, and those of `other` where a key is not given.
            pub(in crate::config) fn or(self, other: &Self) -> Self {
                Self { $($key: self.$key.or_else(|| other.$key.clone()),)* }
            }
        }
    };
}

settings! {
    timeout: Duration,
    max_offset: Duration,
    warn_offset: Duration,
    references: Vec<ReferenceSource>,
    strict: bool,
    trust_system_clock: bool,
    field: Field,
    format: Form,
    zone: String,
    date_cache: Duration,
    expect_backends: u32,
    miss_probability: f64,
    samples: u32,
    connections: u32,
    follow: bool,
    ca_file: Trust,
    insecure: bool,
    resolve: Vec<AddressOverride>,
    ip_version: IpVersion,
    headers: Vec<String>,
    secret_headers: Secret,
    basic_auth: Secret,
    identity: ClientIdentity,
}

impl RoundSettings {
    /// Reads them. What is wrong is noted.
    pub(in crate::config) fn read(section: &Section<'_>, secrets: Secrets<'_>) -> Self {
        Self {
            timeout: section.duration("timeout"),
            max_offset: section.duration("max_offset"),
            warn_offset: section.duration("warn_offset"),
            references: section.references("references"),
            strict: section.boolean("strict"),
            trust_system_clock: section.boolean("trust_system_clock"),
            field: section.field("field"),
            format: section.format("format"),
            zone: section.zone("zone").and(section.text("zone")),
            date_cache: section.duration("date_cache"),
            expect_backends: section.integer("expect_backends"),
            miss_probability: section.probability("miss_probability"),
            samples: section.integer("samples"),
            connections: section.integer("connections"),
            follow: section.boolean("follow"),
            ca_file: trust(section, secrets),
            insecure: section.boolean("insecure"),
            resolve: section.addresses("resolve"),
            ip_version: section.ip_version("ip_version"),
            headers: section.headers("headers"),
            secret_headers: secret_headers(section, secrets),
            basic_auth: basic_auth(section, secrets),
            identity: identity(section, secrets),
        }
    }

    /// The check of a URL.
    ///
    /// # Errors
    /// As the library says.
    pub(in crate::config) fn check(&self, url: &str, headers: RequestHeaders) -> Result<Check, CheckError> {
        let form = self.format.as_ref().map_or(Form::Known(Format::Auto), |given| given.value.clone());
        let zone = self.zone.as_ref().and_then(|given| given.value.parse().ok());
        let time = TimeSelector {
            field: self.field.as_ref().map_or(Field::Auto, |given| given.value.clone()),
            notation: Notation { form, zone },
            date_cache: value(self.date_cache.as_ref()).unwrap_or(Duration::from_secs(1)),
        };
        let mut check = Check::of([url])
            .time(time)
            .warn_offset(value(self.warn_offset.as_ref()))
            .expected_backends(
                value(self.expect_backends.as_ref()).and_then(|count| NonZeroUsize::new(count as usize)),
            )
            .strict(value(self.strict.as_ref()).unwrap_or_default())
            .trust_system_clock(value(self.trust_system_clock.as_ref()).unwrap_or_default())
            .follow(value(self.follow.as_ref()).unwrap_or_default())
            .ip_version(value(self.ip_version.as_ref()))
            .addresses(self.resolve.iter().flat_map(|given| given.value.clone()).collect())
            .request_headers(headers)
            .trust(self.trust());
        if let Some(given) = &self.references {
            check = check.references(given.value.clone());
        }
        if let Some(limit) = value(self.max_offset.as_ref()) {
            check = check.max_offset(limit);
        }
        if let Some(timeout) = value(self.timeout.as_ref()) {
            check = check.timeout(timeout);
        }
        if let Some(probability) = value(self.miss_probability.as_ref()) {
            check = check.miss_probability(probability);
        }
        if let Some(requests) = value(self.samples.as_ref()) {
            check = check.requests_per_connection(requests);
        }
        if let Some(connections) = value(self.connections.as_ref()).and_then(NonZeroU32::new) {
            check = check.max_connections(connections);
        }
        check.build()
    }

    fn trust(&self) -> Trust {
        let trust = self.ca_file.as_ref().map_or_else(Trust::of_this_machine, |given| given.value.clone());
        let trust = if value(self.insecure.as_ref()).unwrap_or_default() {
            trust.without_verification()
        } else {
            trust
        };
        match &self.identity {
            Some(given) => trust.with_identity(given.value.clone()),
            None => trust,
        }
    }
}

fn value<T: Copy>(given: Option<&Given<T>>) -> Option<T> {
    given.map(|given| given.value)
}

fn trust(section: &Section<'_>, secrets: Secrets<'_>) -> Option<Given<Trust>> {
    let Given { value: path, line } = section.path("ca_file")?;
    match secrets.trusts.with_ca_file(&secrets.resolved(&path)) {
        Ok(value) => Some(Given { value, line }),
        Err(error) => {
            file_is_wrong(section, "ca_file", (&path, line), &error);
            None
        }
    }
}

fn identity(section: &Section<'_>, secrets: Secrets<'_>) -> Option<Given<ClientIdentity>> {
    let certificate = section.path("client_certificate");
    let key = section.path("client_key");
    for (is_missing, given, missing) in [
        (!section.has("client_key"), "client_certificate", "client_key"),
        (!section.has("client_certificate"), "client_key", "client_certificate"),
    ] {
        if is_missing && section.has(given) {
            let advice = format!("{given} and {missing} go together; both may be the same file");
            section.wrong(section.line_of(given), Problem::Missing { key: missing.to_owned(), advice });
        }
    }
    let (certificate, key) = (certificate?, key?);
    let read =
        ClientIdentity::from_files(&secrets.resolved(&certificate.value), &secrets.resolved(&key.value));
    match read {
        Ok(value) => Some(Given { value, line: certificate.line }),
        Err(error) if error.is_about_certificate() => {
            file_is_wrong(section, "client_certificate", (&certificate.value, certificate.line), &error);
            None
        }
        Err(error) => {
            file_is_wrong(section, "client_key", (&key.value, key.line), &error);
            None
        }
    }
}

fn file_is_wrong(
    section: &Section<'_>,
    key: &str,
    (path, line): (&PathBuf, Option<usize>),
    error: &dyn std::error::Error,
) {
    let mut must = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        must = format!("{must}: {inner}");
        cause = inner.source();
    }
    let value = format!("\"{}\"", nowcheck::text::printable(path.as_os_str().as_encoded_bytes(), 100));
    let must = nowcheck::text::printable(must.as_bytes(), 200);
    section.wrong(line, Problem::Value { key: key.to_owned(), value, must, closest: None });
}

fn secret_headers(section: &Section<'_>, secrets: Secrets<'_>) -> Option<Given<Secret>> {
    let given = section.secret("headers", secrets)?;
    let mut headers = RequestHeaders::default();
    let added = lines(given.value.expose()).try_for_each(|line| headers.add(line));
    match added {
        Ok(()) => Some(given),
        Err(error) => {
            cannot_be_sent(section, "headers", &error.to_string());
            None
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim().is_empty())
}

fn basic_auth(section: &Section<'_>, secrets: Secrets<'_>) -> Option<Given<Secret>> {
    let given = section.secret("basic_auth", secrets)?;
    match basic_from_line(given.value.expose()) {
        Ok(_) => Some(given),
        Err(error) => {
            cannot_be_sent(section, "basic_auth", &error.to_string());
            None
        }
    }
}

impl RoundSettings {
    /// What is added to requests: the headers that anybody may read, those that are secret, and the credentials. None if they do
    /// not go together; why is noted.
    pub(in crate::config) fn request_headers(&self, section: &Section<'_>) -> Option<RequestHeaders> {
        let mut headers = RequestHeaders::default();
        let plain = self.headers.iter().flat_map(|given| given.value.iter().map(String::as_str));
        let secret = self.secret_headers.iter().flat_map(|given| lines(given.value.expose()));
        for line in plain.chain(secret) {
            if let Err(error) = headers.add(line) {
                cannot_be_sent(section, "headers", &error.to_string());
                return None;
            }
        }
        let credentials =
            self.basic_auth.as_ref().and_then(|given| basic_from_line(given.value.expose()).ok());
        if let Some(credentials) = credentials
            && headers.authenticate(credentials).is_err()
        {
            cannot_be_sent(
                section,
                "basic_auth",
                "and an Authorization header are both given; leave one out",
            );
            return None;
        }
        Some(headers)
    }
}

/// The message is about what stands in the file or the variable, and never quotes it.
fn cannot_be_sent(section: &Section<'_>, name: &str, why: &str) {
    let key = [format!("{name}_file"), format!("{name}_env")].into_iter().find(|key| section.has(key));
    let key = key.unwrap_or_else(|| name.to_owned());
    let line = section.line_of(&key);
    section.wrong(line, Problem::Hidden { key, must: nowcheck::text::printable(why.as_bytes(), 200) });
}
