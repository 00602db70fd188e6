//! What proves to a server who asks. No message has a value in it.

use std::path::Path;

use anyhow::{Context, anyhow};
use nowcheck::input_file;
use nowcheck::probe::tls::Trust;
use nowcheck::probe::tls::identity::ClientIdentity;
use nowcheck::request_headers::{HeaderError, RequestHeaders, basic_from_line};

use crate::arguments::Arguments;

/// The most that is read of a file of credentials: more of it would be another file.
const MOST_OF_A_USER_FILE: u64 = 64 * 1024;

/// The headers of `--header` and `--user-file`.
pub(super) fn request_headers(texts: &[String], user_file: Option<&Path>) -> anyhow::Result<RequestHeaders> {
    let mut headers = RequestHeaders::default();
    for text in texts {
        headers.add(text).context("--header")?;
    }
    let Some(path) = user_file else { return Ok(headers) };
    let named = || format!("--user-file {}", path.display());
    let credentials = basic_from_line(&read(path).with_context(named)?).with_context(named)?;
    headers.authenticate(credentials).map_err(|error| match error {
        HeaderError::Twice(_) => {
            anyhow!("--user-file and --header Authorization are both given; leave one out")
        }
        other => other.into(),
    })?;
    Ok(headers)
}

fn read(path: &Path) -> anyhow::Result<String> {
    let text = input_file::read(path, MOST_OF_A_USER_FILE)?;
    // The library's error would hold the bytes.
    String::from_utf8(text).map_err(|_| anyhow!("is not UTF-8"))
}

/// Adds what `--cert`, `--key` and `--insecure` say.
pub(super) fn with_identity(trust: Trust, arguments: &Arguments) -> anyhow::Result<Trust> {
    let trust = if arguments.insecure { trust.without_verification() } else { trust };
    let (certificate, key) = match (&arguments.cert, &arguments.key) {
        (None, None) => return Ok(trust),
        (Some(certificate), Some(key)) => (certificate, key),
        _ => return Err(anyhow!("--cert and --key go together: name both files, which may be the same one")),
    };
    let identity = ClientIdentity::from_files(certificate, key).map_err(|error| {
        let (flag, path) =
            if error.is_about_certificate() { ("--cert", certificate) } else { ("--key", key) };
        anyhow::Error::new(error).context(format!("{flag} {}", path.display()))
    })?;
    Ok(trust.with_identity(identity))
}
