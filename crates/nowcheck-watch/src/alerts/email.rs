//! E-mail in plain text, over SMTP.

mod text;

use std::time::Duration;

use lettre::address::{Address, Envelope};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter, ServerInfo};
use lettre::transport::smtp::{self, Error};
use nowcheck::input_file;
use tokio::time::timeout;

use super::fault::{Fault, SmtpFault};
use super::notice::Notice;
use super::transport::Deferred;
use crate::config::{Email, Encryption, UnusableSetting};
use crate::http_client::Hidden;

/// How much of what the server says is quoted.
const EXCERPT: usize = 300;
/// How long a server may take to answer QUIT after it accepted the message.
const TIME_TO_QUIT: Duration = Duration::from_secs(1);

/// Sends one message. The server has to accept it within the limit, for one recipient at least. Returns why others do not get it.
pub(super) async fn send(
    settings: &Email,
    notice: &Notice,
    limit: Duration,
    deferred: Deferred,
) -> Result<Option<Fault>, Fault> {
    let delivered = timeout(limit, deliver(settings, notice, deferred)).await;
    let (mut connection, left_out) = delivered.map_err(|_| SmtpFault::Silent(limit))??;
    // The server has the message. A failure from here on would send it again.
    let _ = timeout(TIME_TO_QUIT, connection.quit()).await;
    Ok(left_out)
}

/// Returns the connection once the server has accepted the message, and why not for all recipients.
async fn deliver(
    settings: &Email,
    notice: &Notice,
    deferred: Deferred,
) -> Result<(AsyncSmtpConnection, Option<Fault>), Fault> {
    let message = text::message(settings, notice)?;
    let mut connection = open(settings).await?;
    let words = Words::new(settings);
    if let Some((user, password)) = &settings.login {
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        if connection.server_info().get_auth_mechanism(&mechanisms).is_none() {
            return Err(SmtpFault::NoLogin.into());
        }
        let credentials = Credentials::new(user.clone(), password.expose().to_owned());
        let answered = connection.auth(&mechanisms, &credentials).await;
        answered.map_err(|error| words.of_login(&error))?;
    }
    match hand_over(&mut connection, (message.envelope(), &message.formatted()), &words, deferred).await {
        Ok(left_out) => Ok((connection, left_out)),
        Err(fault) => {
            let _ = timeout(TIME_TO_QUIT, connection.abort()).await;
            Err(fault)
        }
    }
}

/// One transaction for all recipients, so that all that are accepted get the message, or nobody: a further try sends nobody a
/// second one. Those that are rejected keep it from nobody (RFC 5321 section 3.3), and those that are deferred may.
async fn hand_over(
    connection: &mut AsyncSmtpConnection,
    (envelope, text): (&Envelope, &[u8]),
    words: &Words,
    deferred: Deferred,
) -> Result<Option<Fault>, Fault> {
    let parameters = parameters(connection.server_info(), envelope, text)?;
    let answered = connection.command(Mail::new(envelope.from().cloned(), parameters)).await;
    answered.map_err(|error| words.of_answer(&error))?;
    let mut refused = Vec::new();
    for address in envelope.to() {
        match connection.command(Rcpt::new(address.clone(), Vec::new())).await {
            Ok(_) => {}
            Err(error)
                if error.is_permanent() || error.is_transient() && deferred == Deferred::AreLeftOut =>
            {
                refused.push((address, error));
            }
            Err(error) => return Err(words.of_answer(&error)),
        }
    }
    if refused.len() == envelope.to().len() {
        // What may pass is tried again sooner.
        let first = refused.iter().find(|(_, error)| error.is_transient()).or(refused.first());
        return Err(first.map_or(SmtpFault::Address("to").into(), |(_, error)| words.of_answer(error)));
    }
    connection.command(Data).await.map_err(|error| words.of_answer(&error))?;
    connection.message(text).await.map_err(|error| words.of_answer(&error))?;
    let refused: Vec<String> =
        refused.iter().map(|(address, error)| format!("{address} ({})", words.text(error))).collect();
    Ok((!refused.is_empty()).then(|| SmtpFault::LeftOut(refused.join(", ")).into()))
}

/// What MAIL has to say of a message beyond ASCII (RFC 6531, RFC 6152).
fn parameters(
    server: &ServerInfo,
    envelope: &Envelope,
    text: &[u8],
) -> Result<Vec<MailParameter>, SmtpFault> {
    let addresses = envelope.to().iter().chain(envelope.from());
    let is_ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
    let eight_bits = MailParameter::Body(MailBodyParameter::EightBitMime);
    let all = [
        (!addresses.into_iter().all(is_ascii), Extension::SmtpUtfEight, MailParameter::SmtpUtfEight),
        (!text.is_ascii(), Extension::EightBitMime, eight_bits),
    ];
    let needed = all.into_iter().filter(|(is_needed, ..)| *is_needed);
    needed
        .map(|(_, extension, parameter)| {
            let lacks =
                || SmtpFault::Rejected(format!("it does not offer {extension}, which an address needs"));
            server.supports_feature(extension).then_some(parameter).ok_or_else(lacks)
        })
        .collect()
}

async fn open(settings: &Email) -> Result<AsyncSmtpConnection, Fault> {
    let words = Words::new(settings);
    let name = ClientId::default();
    let tls = match settings.encryption {
        Encryption::None => None,
        _ => Some(tls(settings)?),
    };
    let at_once = tls.clone().filter(|_| settings.encryption == Encryption::Tls);
    let server = settings.server.as_str();
    let opened = AsyncSmtpConnection::connect_tokio1(server, None, &name, at_once, None).await;
    let mut connection = opened.map_err(|error| words.of_connection(&error))?;
    if let (Encryption::StartTls, Some(tls)) = (settings.encryption, tls) {
        if !connection.can_starttls() {
            return Err(SmtpFault::NoStartTls.into());
        }
        connection.starttls(tls, &name).await.map_err(|error| words.of_connection(&error))?;
    }
    Ok(connection)
}

fn tls(settings: &Email) -> Result<TlsParameters, Fault> {
    let host = settings.server.rsplit_once(':').map_or(settings.server.as_str(), |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut builder = TlsParametersBuilder::new(host.to_owned());
    if rustls_native_certs::load_native_certs().certs.is_empty() {
        // A container from scratch has no authorities of its own.
        builder = builder.certificate_store(CertificateStore::WebpkiRoots);
    }
    let unusable = |error: String| UnusableSetting("ca_file", error);
    if let Some(path) = &settings.ca_file {
        let pem = input_file::read(path, input_file::MOST_OF_CERTIFICATES)
            .map_err(|error| unusable(error.to_string()))?;
        let given = Certificate::from_pem(&pem).map_err(|error| unusable(error.to_string()))?;
        builder = builder.add_root_certificate(given);
    }
    Ok(builder.build().map_err(|error| unusable(error.to_string()))?)
}

/// What the server says, without the password.
struct Words(Hidden);

impl Words {
    fn new(settings: &Email) -> Self {
        let password = settings.login.as_ref().map(|(_, password)| password.expose());
        Self(Hidden::of(password))
    }

    fn of_login(&self, error: &smtp::Error) -> Fault {
        if error.is_permanent() { SmtpFault::Login(self.text(error)).into() } else { self.of_answer(error) }
    }

    fn of_answer(&self, error: &Error) -> Fault {
        if error.is_permanent() {
            SmtpFault::Rejected(self.text(error)).into()
        } else if error.is_transient() {
            SmtpFault::Busy(self.text(error)).into()
        } else {
            self.of_connection(error)
        }
    }

    fn of_connection(&self, error: &Error) -> Fault {
        let text = self.text(error);
        if error.is_permanent() || error.is_transient() {
            SmtpFault::Busy(text)
        } else if text.contains("InvalidContentType") {
            SmtpFault::NoTlsFromTheFirstByte
        } else if error.is_tls() || text.contains("certificate") {
            SmtpFault::Tls(text)
        } else {
            SmtpFault::Connection(text)
        }
        .into()
    }

    fn text(&self, error: &Error) -> String {
        let hidden = || "its answer holds the password and is not shown".to_owned();
        self.0.excerpt(error.to_string().as_bytes(), EXCERPT).unwrap_or_else(hidden)
    }
}

#[cfg(test)]
mod tests;
