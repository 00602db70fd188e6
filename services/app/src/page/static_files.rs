//! Files that never change while the program runs, compressed when it is built (`build.rs`): the page's assets, whose
//! names change with their content so that they can be cached for ever, and the OpenAPI description.

use hyper::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Response, StatusCode};

use crate::http::content_coding::{self, BROTLI, GZIP};

include!(concat!(env!("OUT_DIR"), "/files.rs"));

pub(crate) const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
pub(crate) const ON_ENCODING: HeaderValue = HeaderValue::from_static("Accept-Encoding");

#[derive(Debug)]
struct StaticFile {
    /// A hash of the content. It is in the `ETag`, and in the name of an asset.
    tag: &'static str,
    media_type: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
    brotli: &'static [u8],
}

/// A file that the page loads.
#[derive(Debug)]
struct Asset {
    stem: &'static str,
    ending: &'static str,
    file: StaticFile,
}

/// The asset at that path, and whether the hash in the path is its own.
///
/// During a deployment the page may come from one process and its assets from another of a different version. The
/// asset of that version is better than none, but it must not be cached under the other's name.
fn asset(path: &str) -> Option<(&'static StaticFile, bool)> {
    let name = path.strip_prefix("/assets/")?;
    ASSETS.iter().find_map(|Asset { stem, ending, file }| {
        let tag = name.strip_prefix(stem)?.strip_prefix('-')?;
        let tag = tag.strip_suffix(ending)?.strip_suffix('.')?;
        let is_one =
            tag.len() == file.tag.len() && tag.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_one.then_some((file, tag == file.tag))
    })
}

#[cold]
pub(crate) fn has_asset(path: &str) -> bool {
    asset(path).is_some()
}

/// How long a file may be cached without asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CacheLifetime {
    Never,
    OneHour,
    Forever,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContentCoding {
    Plain,
    Gzip,
    Brotli,
}

/// A file in the coding that a client gets (RFC 9110, section 3.2).
#[derive(Debug)]
pub(crate) struct Representation {
    file: &'static StaticFile,
    lifetime: CacheLifetime,
    coding: ContentCoding,
    etag: String,
    /// The client already has it: `If-None-Match` names the `ETag`.
    is_not_modified: bool,
}

impl Representation {
    /// An asset of the page.
    #[cold]
    pub(crate) fn asset(path: &str, headers: &HeaderMap) -> Option<Self> {
        let (file, is_exact) = asset(path)?;
        Some(Self::new(file, if is_exact { CacheLifetime::Forever } else { CacheLifetime::Never }, headers))
    }

    /// The OpenAPI description.
    #[cold]
    pub(crate) fn description(headers: &HeaderMap) -> Self {
        Self::new(&OPENAPI, CacheLifetime::OneHour, headers)
    }

    fn new(file: &'static StaticFile, lifetime: CacheLifetime, headers: &HeaderMap) -> Self {
        let coding = if content_coding::accepts(headers, "br") {
            ContentCoding::Brotli
        } else if content_coding::accepts(headers, "gzip") {
            ContentCoding::Gzip
        } else {
            ContentCoding::Plain
        };
        // A strong tag has to differ where the bytes differ.
        let etag = match coding {
            ContentCoding::Plain => format!("\"{}\"", file.tag),
            ContentCoding::Gzip => format!("\"{}-gzip\"", file.tag),
            ContentCoding::Brotli => format!("\"{}-br\"", file.tag),
        };
        let is_not_modified = content_coding::list(headers, &IF_NONE_MATCH)
            .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag);
        Self { file, lifetime, coding, etag, is_not_modified }
    }

    pub(crate) fn body(&self) -> &'static [u8] {
        match self.coding {
            _ if self.is_not_modified => &[],
            ContentCoding::Plain => self.file.plain,
            ContentCoding::Gzip => self.file.gzip,
            ContentCoding::Brotli => self.file.brotli,
        }
    }

    /// Sets the status and the headers of a static file.
    #[cold]
    pub(crate) fn set_headers<B>(&self, response: &mut Response<B>) {
        const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
        const ONE_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");
        let headers = response.headers_mut();
        headers.insert(VARY, ON_ENCODING);
        headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
        if let Ok(etag) = HeaderValue::try_from(&self.etag) {
            headers.insert(ETAG, etag);
        }
        match self.lifetime {
            CacheLifetime::Never => None,
            CacheLifetime::OneHour => headers.insert(CACHE_CONTROL, ONE_HOUR),
            CacheLifetime::Forever => headers.insert(CACHE_CONTROL, FOREVER),
        };
        if self.is_not_modified {
            headers.remove(CONTENT_TYPE);
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return;
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.file.media_type));
        match self.coding {
            ContentCoding::Plain => None,
            ContentCoding::Gzip => headers.insert(CONTENT_ENCODING, GZIP),
            ContentCoding::Brotli => headers.insert(CONTENT_ENCODING, BROTLI),
        };
    }
}

/// For tests: the path of each asset, and its text.
#[cfg(test)]
pub(crate) fn assets() -> impl Iterator<Item = (String, String)> {
    ASSETS.iter().map(|Asset { stem, ending, file }| {
        let text = String::from_utf8_lossy(file.plain).into_owned();
        (format!("/assets/{stem}-{}.{ending}", file.tag), text)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn every_file_is_the_same_in_every_coding() {
        for file in ASSETS.iter().map(|asset| &asset.file).chain([&OPENAPI]) {
            let mut unpacked = Vec::new();
            flate2::read::GzDecoder::new(file.gzip).read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, file.plain);
            unpacked.clear();
            brotli::Decompressor::new(file.brotli, 4096).read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, file.plain);
        }
        let sent: usize = ASSETS.iter().map(|asset| asset.file.gzip.len()).sum();
        assert!(sent < 16_000, "{sent} bytes of assets, compressed");
    }

    #[test]
    fn an_asset_of_another_version_is_given_as_what_there_is_and_an_unknown_one_is_not() {
        let tag = ASSETS[0].file.tag;
        assert!(asset(&format!("/assets/page-{tag}.css")).unwrap().1);
        assert!(!asset("/assets/page-000000000000.css").unwrap().1);
        for path in [
            "/assets/",
            "/assets/page.css",
            "/assets/page-.css",
            "/assets/page-00000000000g.css",
            "/assets/page-0000000000000.css",
            "/assets/other-000000000000.css",
            "/assets/page-000000000000.css/",
            "/assets/../assets/page-000000000000.css",
        ] {
            assert!(!has_asset(path), "{path}");
        }
    }
}
