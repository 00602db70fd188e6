use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::HeaderValue;

use super::*;

const TIME: &[u8] = br#"{"current_time": "20:11:51"}"#;
const MOST: usize = 64 * 1024;

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// As servers send it: quality 5 on the fly, 11 for files.
fn brotli(body: &[u8], quality: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = ::brotli::CompressorWriter::new(&mut out, 4_096, quality, 22);
    encoder.write_all(body).unwrap();
    drop(encoder);
    out
}

/// A block that is stored as it is (RFC 7932 section 9.2), as servers send what does not become smaller.
fn stored_brotli(body: &[u8]) -> Vec<u8> {
    // Window 16 (one bit 0), then ISLAST 0, MNIBBLES 4, MLEN - 1, ISUNCOMPRESSED 1, and an empty last block (ISLAST 1,
    // ISLASTEMPTY 1).
    let length = u32::try_from(body.len() - 1).unwrap();
    let header = (length << 4) | (1 << 20);
    let mut encoded = header.to_le_bytes()[..3].to_vec();
    encoded.extend_from_slice(body);
    encoded.push(0b11);
    encoded
}

fn headers(values: &[&str]) -> HeaderMap {
    values.iter().map(|value| (CONTENT_ENCODING, HeaderValue::from_str(value).unwrap())).collect()
}

fn decoded(values: &[&str], body: &[u8]) -> Result<Vec<u8>, CodingFault> {
    decode(&headers(values), body, MOST).map(|decoded| {
        assert!(!decoded.is_cut);
        decoded.body
    })
}

#[test]
fn every_coding_that_servers_send_unasked_is_undone() {
    for (values, body) in [
        (&[][..], TIME.to_vec()),
        // RFC 9110 section 8.4.1.
        (&["gzip"], gzip(TIME)),
        (&["x-gzip"], gzip(TIME)),
        (&["GZIP"], gzip(TIME)),
        (&["br"], brotli(TIME, 5)),
        (&["BR"], brotli(TIME, 11)),
        (&["br"], stored_brotli(TIME)),
        (&["deflate"], zlib(TIME)),
        // Old IIS; https://zlib.net/zlib_faq.html#faq39.
        (&["deflate"], raw_deflate(TIME)),
        // Labels that say nothing; golang/go#41600, curl's tests 230 and 1124.
        (&["identity"], TIME.to_vec()),
        (&["none"], TIME.to_vec()),
        (&["utf-8"], TIME.to_vec()),
        (&[""], TIME.to_vec()),
        // Codings on top of each other are undone from the last one.
        (&["deflate, gzip"], gzip(&zlib(TIME))),
        (&["br", "gzip"], gzip(&brotli(TIME, 5))),
        (&["gzip, br"], brotli(&gzip(TIME), 5)),
        // wpull#14: padding behind the end of the stream.
        (&["gzip"], [gzip(TIME), vec![0; 8]].concat()),
        // An answer to HEAD names the coding of a body that is not there.
        (&["gzip"], Vec::new()),
    ] {
        let expected = if body.is_empty() { Vec::new() } else { TIME.to_vec() };
        assert_eq!(decoded(values, &body), Ok(expected), "{values:?}");
    }
}

#[test]
fn what_cannot_be_decoded_is_named() {
    for (value, body, words) in [
        ("zstd", gzip(TIME), "zstd"),
        ("compress", gzip(TIME), "compress"),
        ("\u{1b}[2J", gzip(TIME), ""),
        ("gzip", zlib(TIME), "says gzip, but"),
        ("gzip", [&gzip(TIME)[..], &[9; 4]].concat()[4..].to_vec(), "says gzip, but"),
        ("gzip", wrong_checksum(), "says gzip, but"),
        ("gzip", gzip(TIME)[..30].to_vec(), "cut short"),
        ("deflate", zlib(TIME)[..20].to_vec(), "says deflate, but"),
        ("deflate", raw_deflate(TIME)[..20].to_vec(), "says deflate, but"),
        ("br", brotli(TIME, 5)[..20].to_vec(), "says br, but"),
        ("gzip, gzip, gzip, gzip, gzip", gzip(TIME), "5 times"),
    ] {
        let Ok(value) = HeaderValue::from_str(value) else { continue };
        let headers = std::iter::once((CONTENT_ENCODING, value)).collect();
        let error = decode(&headers, &body, MOST).unwrap_err().to_string();
        assert!(error.contains(words) && !error.contains('\u{1b}'), "{error}");
    }
}

fn wrong_checksum() -> Vec<u8> {
    let mut encoded = gzip(TIME);
    let at = encoded.len() - 6;
    encoded[at] ^= 1;
    encoded
}

#[test]
fn gzip_may_lack_its_trailer_and_have_several_members() {
    let [one, two] = [&TIME[..12], &TIME[12..]].map(gzip);
    let mut named = gzip(TIME);
    named[3] = 0b1_1100;
    named.splice(10..10, b"\x03\x00abcname\0comment\0".iter().copied());
    for body in [
        gzip(TIME)[..gzip(TIME).len() - 8].to_vec(),
        gzip(TIME)[..gzip(TIME).len() - 3].to_vec(),
        [one.clone(), two.clone()].concat(),
        [&one[..], &two[..two.len() - 8]].concat(),
        [&one[..], &two, &[0; 512]].concat(),
        named,
    ] {
        assert_eq!(decoded(&["gzip"], &body), Ok(TIME.to_vec()), "{body:?}");
    }
}

#[test]
fn plain_text_is_taken_as_it_is_whatever_its_label_says() {
    for label in ["gzip", "deflate", "br", "zstd", "compress", "gzip, br"] {
        assert_eq!(decoded(&[label], TIME), Ok(TIME.to_vec()), "{label}");
        let latin_1 = b"{\"place\": \"Z\xfcrich\"}\0";
        assert_eq!(decoded(&[label], latin_1), Ok(latin_1.to_vec()), "{label}");
    }
}

#[test]
fn a_bomb_is_cut_at_the_limit() {
    let bomb = vec![b'0'; 10_000_000];
    for (coding, body) in [
        ("gzip", gzip(&bomb)),
        ("deflate", zlib(&bomb)),
        ("deflate", raw_deflate(&bomb)),
        ("gzip, gzip", gzip(&gzip(&bomb))),
        ("br", brotli(&bomb, 5)),
        ("gzip, br", brotli(&gzip(&bomb), 5)),
    ] {
        let decoded = decode(&headers(&[coding]), &body, MOST).unwrap();
        assert_eq!((decoded.body.len(), decoded.is_cut), (MOST, true), "{coding}");
    }
}

#[test]
fn exactly_the_limit_is_not_cut() {
    let body = vec![b'0'; MOST];
    let decoded = decode(&headers(&["deflate"]), &zlib(&body), MOST).unwrap();
    assert_eq!((decoded.body.len(), decoded.is_cut), (MOST, false));
}

#[test]
fn transfer_codings_are_undone_before_content_codings_and_chunks_are_none() {
    let transfer = |value: &str| (TRANSFER_ENCODING, HeaderValue::from_str(value).unwrap());
    let both = [transfer("gzip, chunked"), (CONTENT_ENCODING, HeaderValue::from_static("br"))];
    let body = decode(&both.into_iter().collect(), &gzip(&brotli(TIME, 5)), MOST).unwrap().body;
    assert_eq!(body, TIME);
    let unknown = decode(&std::iter::once(transfer("rot13")).collect(), TIME, MOST).unwrap_err();
    assert!(unknown.to_string().contains("encoded as rot13"), "{unknown}");
}
