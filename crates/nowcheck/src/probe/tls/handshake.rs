//! Why there is no TLS session: what the other side does not speak, whom it does not know, or what it is instead.

use rustls::AlertDescription as Alert;

use super::identity::ClientAuthentication;
use super::words::plain;
use crate::outcome::TlsFault;

/// The fault behind an error of the library that is not about the server's certificate.
#[must_use]
pub fn fault(host: &str, error: &rustls::Error, client: ClientAuthentication) -> TlsFault {
    match error {
        rustls::Error::InvalidMessage(_) => TlsFault::NotTls,
        rustls::Error::AlertReceived(alert) => of_alert(host, *alert, client),
        rustls::Error::PeerIncompatible(what) => TlsFault::CannotSpeak { offer: plain(&format!("{what:?}")) },
        // A server that chooses what was not offered knows nothing of what was.
        rustls::Error::PeerMisbehaved(what) if format!("{what:?}").starts_with("Selected") => {
            TlsFault::CannotSpeak { offer: format!("it {}", plain(&format!("{what:?}"))) }
        }
        other => TlsFault::Failed { error: plain(&other.to_string()) },
    }
}

/// RFC 8446 section 6.2, and RFC 5246 section 7.2.2 for what older servers say.
fn of_alert(host: &str, alert: Alert, client: ClientAuthentication) -> TlsFault {
    let refuses_client = matches!(
        alert,
        Alert::CertificateRequired
            | Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
            | Alert::HandshakeFailure
    );
    match alert {
        Alert::CertificateRequired => TlsFault::wants_certificate(client.has_identity, alert_name(alert)),
        _ if client.was_asked && refuses_client => {
            TlsFault::wants_certificate(client.has_identity, alert_name(alert))
        }
        Alert::UnrecognisedName => TlsFault::UnknownName { host: host.to_owned() },
        Alert::NoApplicationProtocol => {
            TlsFault::CannotSpeak { offer: "no HTTP/1.1 by ALPN, only HTTP/2 or another protocol".to_owned() }
        }
        Alert::HandshakeFailure | Alert::ProtocolVersion | Alert::InsufficientSecurity => {
            TlsFault::CannotSpeak { offer: format!("it answered {}", alert_name(alert)) }
        }
        other => TlsFault::Failed { error: format!("the server sent the alert {}", alert_name(other)) },
    }
}

/// As the RFCs write it: `handshake_failure`.
fn alert_name(alert: Alert) -> String {
    let mut name = String::new();
    for character in format!("{alert:?}").replace("CA", "Ca").chars() {
        if character.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use rustls::{Error, InvalidMessage, PeerIncompatible, PeerMisbehaved};

    use super::*;
    use crate::outcome::{Cause, FailureKind};

    const NOBODY: ClientAuthentication = ClientAuthentication { was_asked: false, has_identity: false };
    const ASKED: ClientAuthentication = ClientAuthentication { was_asked: true, ..NOBODY };
    const SHOWN: ClientAuthentication = ClientAuthentication { was_asked: true, has_identity: true };

    type Case = (Error, ClientAuthentication, FailureKind, &'static str);

    fn assert_told(cases: impl IntoIterator<Item = Case>) {
        for (error, client, kind, words) in cases {
            let cause = Cause::Tls(fault("time.example", &error, client));
            assert_eq!(cause.kind(), kind, "{error:?}");
            assert!(cause.to_string().contains(words), "{error:?}: {cause}");
        }
    }

    #[test]
    fn what_cannot_be_spoken_is_told() {
        let cannot = FailureKind::Unsupported;
        let unoffered = PeerMisbehaved::SelectedUnofferedCipherSuite;
        assert_told([
            // openssl s_server -cipher AES128-SHA -tls1_2, -dhe only, a P-521 group only.
            (Error::AlertReceived(Alert::HandshakeFailure), NOBODY, cannot, "handshake_failure"),
            // openssl s_server -tls1_1.
            (Error::AlertReceived(Alert::ProtocolVersion), NOBODY, cannot, "protocol_version"),
            (Error::AlertReceived(Alert::InsufficientSecurity), NOBODY, cannot, "insufficient_security"),
            (Error::AlertReceived(Alert::NoApplicationProtocol), NOBODY, cannot, "HTTP/2"),
            // An old server that answers the hello with TLS 1.1 at once, and one that overlooks what was offered.
            (PeerIncompatible::ServerDoesNotSupportTls12Or13.into(), NOBODY, cannot, "cannot speak what"),
            (unoffered.into(), NOBODY, cannot, "cannot speak what"),
        ]);
    }

    #[test]
    fn no_fault_is_told_by_an_identifier_of_the_library() {
        let misbehaved = [
            PeerMisbehaved::SelectedUnofferedCipherSuite,
            PeerMisbehaved::TooManyEmptyFragments,
            PeerMisbehaved::IllegalTlsInnerPlaintext,
        ];
        let incompatible = [
            PeerIncompatible::ServerDoesNotSupportTls12Or13,
            PeerIncompatible::NoCipherSuitesInCommon,
            PeerIncompatible::ServerRejectedEncryptedClientHello(None),
        ];
        let unexpected = Error::InappropriateMessage {
            expect_types: vec![rustls::ContentType::Handshake],
            got_type: rustls::ContentType::ApplicationData,
        };
        let errors = misbehaved.into_iter().map(Error::from).chain(incompatible.into_iter().map(Error::from));
        for error in errors.chain([unexpected, Error::General("x".to_owned())]) {
            let said = fault("time.example", &error, NOBODY).to_string();
            let is_identifier = |word: &str| {
                let word = word.trim_matches(['(', ')', ';', ',']);
                word != "ChaCha20"
                    && word.chars().skip(1).any(char::is_uppercase)
                    && word.contains(char::is_lowercase)
            };
            assert!(!said.split_whitespace().any(is_identifier) && !said.contains(['{', '[']), "{said}");
        }
    }

    #[test]
    fn a_client_certificate_a_name_and_another_protocol_are_told_from_that() {
        let identity = FailureKind::ClientCertificate;
        let no_tls = Error::InvalidMessage(InvalidMessage::InvalidContentType);
        assert_told([
            // nginx and Go, TLS 1.3 and 1.2.
            (Error::AlertReceived(Alert::CertificateRequired), ASKED, identity, "requires a client"),
            (Error::AlertReceived(Alert::HandshakeFailure), ASKED, identity, "requires a client"),
            (Error::AlertReceived(Alert::BadCertificate), ASKED, identity, "requires a client"),
            (Error::AlertReceived(Alert::UnknownCA), SHOWN, identity, "(unknown_ca)"),
            // Java, Caddy: no certificate for this name.
            (
                Error::AlertReceived(Alert::UnrecognisedName),
                NOBODY,
                FailureKind::Certificate,
                "does not know the name time.example",
            ),
            (no_tls, NOBODY, FailureKind::Protocol, "not TLS"),
            (Error::AlertReceived(Alert::InternalError), NOBODY, FailureKind::Protocol, "internal_error"),
            (Error::DecryptError, NOBODY, FailureKind::Protocol, "handshake failed"),
        ]);
    }
}
