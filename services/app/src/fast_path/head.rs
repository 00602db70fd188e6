//! Which heads are plain: the one predicate for heads as bytes, and for those that hyper has parsed.

use std::mem::MaybeUninit;

use crate::metrics::Route;

/// A plain head.
#[derive(Debug)]
pub(crate) struct Head<'headers, 'bytes> {
    pub(crate) target: Target,
    pub(crate) host: &'bytes [u8],
    pub(crate) headers: &'headers [httparse::Header<'bytes>],
    /// With the empty line at its end, in bytes.
    pub(crate) length: usize,
}

/// The head that `bytes` begin with, if it is whole and plain. It may have as many headers as fit in `headers`.
pub(crate) fn parse<'headers, 'bytes>(
    bytes: &'bytes [u8],
    headers: &'headers mut [MaybeUninit<httparse::Header<'bytes>>],
) -> Option<Head<'headers, 'bytes>> {
    // Nearly all that is not plain is recognized here.
    let target = target_in(bytes)?;
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(bytes, headers);
    let Ok(httparse::Status::Complete(length)) = parsed else { return None };
    let headers: &'headers [httparse::Header<'bytes>] = request.headers;
    let host = host(headers.iter().map(|header| (header.name, header.value)))?;
    Some(Head { target, host, headers, length })
}

/// The target of the request line that `bytes` begin with.
fn target_in(bytes: &[u8]) -> Option<Target> {
    let rest = bytes.strip_prefix(b"GET ")?;
    Target::ALL.into_iter().find(|target| {
        rest.strip_prefix(target.path().as_bytes()).is_some_and(|rest| rest.starts_with(b" HTTP/1.1\r\n"))
    })
}

/// What has prepared responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Now,
    // Load balancers ask for these all day.
    Health,
    Readiness,
}

impl Target {
    pub(crate) const ALL: [Self; 3] = [Self::Now, Self::Health, Self::Readiness];

    pub(crate) fn route(self) -> Route {
        match self {
            Self::Now => Route::Now,
            Self::Health => Route::Health,
            Self::Readiness => Route::Readiness,
        }
    }

    pub(crate) fn path(self) -> &'static str {
        self.route().name()
    }
}

/// The one `Host` of a request, if no header says anything about a body, an upgrade, an expectation or the connection.
pub(crate) fn host<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Option<&'a [u8]> {
    let mut host = None;
    for (name, value) in headers {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        // The length first: it differs for all of them, and from that of most other headers.
        match name.len() {
            // The second one.
            4 if is("host") && host.replace(value).is_some() => return None,
            6 if is("expect") => return None,
            7 if is("upgrade") => return None,
            10 if is("connection") => return None,
            14 if is("content-length") => return None,
            17 if is("transfer-encoding") => return None,
            _ => {}
        }
    }
    host
}
