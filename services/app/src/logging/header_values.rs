//! The headers of a request, whether hyper or httparse has parsed them.

use hyper::HeaderMap;

pub(crate) trait HeaderValues {
    /// The values of all lines with this name, in order. `name` is in lower case.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]>;
}

impl HeaderValues for HeaderMap {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.get_all(name).iter().map(hyper::header::HeaderValue::as_bytes)
    }
}

impl HeaderValues for [httparse::Header<'_>] {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }
}
