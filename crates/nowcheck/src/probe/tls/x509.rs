//! What stands in a certificate, for the reader: why it is not accepted. The TLS library proves who it belongs to.

use rustls::pki_types::{CertificateDer, UnixTime};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

use crate::outcome::CertificateFault;
use crate::text::printable;

/// RSA keys of fewer bits are accepted by no TLS library any more.
const SHORTEST_RSA_KEY: usize = 2_048;

/// `rsaEncryption` (RFC 3279 section 2.3.1).
const RSA: &str = "1.2.840.113549.1.1.1";

/// The begin and the end of its validity.
pub(super) fn validity(der: &CertificateDer<'_>) -> Option<(UnixTime, UnixTime)> {
    let certificate = Certificate::from_der(der).ok()?;
    let validity = certificate.tbs_certificate().validity();
    let [begin, end] = [validity.not_before, validity.not_after];
    Some((
        UnixTime::since_unix_epoch(begin.to_unix_duration()),
        UnixTime::since_unix_epoch(end.to_unix_duration()),
    ))
}

/// Whether it has no subjectAltName that could name a server, and the host as its common name.
pub(super) fn is_named_by_common_name_alone(der: &CertificateDer<'_>, host: &str) -> bool {
    let Ok(certificate) = Certificate::from_der(der) else { return false };
    let is_name = |name: &GeneralName| matches!(name, GeneralName::DnsName(_) | GeneralName::IpAddress(_));
    match certificate.tbs_certificate().get_extension::<SubjectAltName>() {
        Ok(Some((_, names))) if names.0.iter().any(is_name) => return false,
        Ok(_) => {}
        Err(_) => return false,
    }
    let common_name = certificate.tbs_certificate().subject().common_name().ok().flatten();
    common_name.is_some_and(|name| is_pattern_of(&name.value(), host))
}

/// Whether a name, or a pattern with one asterisk as its first label, means the host (RFC 6125 section 6.4.3).
fn is_pattern_of(pattern: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.');
    if pattern.eq_ignore_ascii_case(host) {
        return !host.is_empty();
    }
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    match (pattern.strip_prefix("*."), host.split_once('.')) {
        (Some(domain), Some((_, rest))) => {
            !is_address && domain.contains('.') && domain.eq_ignore_ascii_case(rest)
        }
        _ => false,
    }
}

/// Whether an address stands among its DNS names, where no client looks for it.
pub(super) fn has_address_as_dns_name(der: &CertificateDer<'_>, address: &str) -> bool {
    let Ok(certificate) = Certificate::from_der(der) else { return false };
    let names = certificate.tbs_certificate().get_extension::<SubjectAltName>().ok().flatten();
    names.is_some_and(|(_, names)| {
        names.0.iter().any(|name| matches!(name, GeneralName::DnsName(name) if name.as_str() == address))
    })
}

/// Why a certificate is not trusted whose issuer is not known.
pub(super) fn untrusted(leaf: &CertificateDer<'_>, sent: &[CertificateDer<'_>]) -> CertificateFault {
    let Ok(certificate) = Certificate::from_der(leaf) else { return CertificateFault::UnknownAuthority };
    let (issuer, subject) = (certificate.tbs_certificate().issuer(), certificate.tbs_certificate().subject());
    if issuer == subject {
        return CertificateFault::SelfSigned;
    }
    let is_issuer = |der: &CertificateDer<'_>| {
        Certificate::from_der(der).is_ok_and(|other| other.tbs_certificate().subject() == issuer)
    };
    if sent.iter().any(is_issuer) {
        return CertificateFault::UnknownAuthority;
    }
    CertificateFault::MissingIntermediate { issuer: shown(issuer) }
}

/// Why a certificate that is marked as an authority's is not accepted.
pub(super) fn authority(der: &CertificateDer<'_>) -> CertificateFault {
    match Certificate::from_der(der) {
        Ok(one) if one.tbs_certificate().issuer() == one.tbs_certificate().subject() => {
            CertificateFault::SelfSigned
        }
        _ => CertificateFault::IsAuthority,
    }
}

/// The bits of an RSA key that is too short.
pub(super) fn short_rsa_key(der: &CertificateDer<'_>) -> Option<usize> {
    let certificate = Certificate::from_der(der).ok()?;
    let key = certificate.tbs_certificate().subject_public_key_info();
    if key.algorithm.oid.to_string() != RSA {
        return None;
    }
    // SEQUENCE { modulus INTEGER, publicExponent INTEGER }: all but some bytes of it are the modulus.
    let bits = key.subject_public_key.raw_bytes().len().checked_sub(12)? * 8 / 256 * 256;
    (bits < SHORTEST_RSA_KEY).then_some(bits)
}

fn shown(name: &Name) -> String {
    let common_name = name.common_name().ok().flatten().map(|name| name.value().into_owned());
    printable(common_name.unwrap_or_else(|| name.to_string()).as_bytes(), 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asterisk_stands_for_one_label_of_a_domain() {
        for (pattern, host, is_it) in [
            ("time.example", "TIME.example", true),
            ("time.example", "time.example.", true),
            ("*.time.example", "a.time.example", true),
            ("*.time.example", "time.example", false),
            ("*.time.example", "a.b.time.example", false),
            ("*.example", "time.example", false),
            ("*.0.2.1", "192.0.2.1", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("*", "time.example", false),
            ("", "", false),
        ] {
            assert_eq!(is_pattern_of(pattern, host), is_it, "{pattern} {host}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_not_trusted_and_says_nothing() {
        let garbage = CertificateDer::from(vec![0x30, 0x03, 1, 2, 3]);
        assert_eq!(untrusted(&garbage, &[]), CertificateFault::UnknownAuthority);
        assert_eq!(authority(&garbage), CertificateFault::IsAuthority);
        assert_eq!((validity(&garbage), short_rsa_key(&garbage)), (None, None));
        assert!(!is_named_by_common_name_alone(&garbage, "a") && !has_address_as_dns_name(&garbage, "a"));
    }
}
