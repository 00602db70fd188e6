//! E-mail in plain text, over SMTP.

mod text;

use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{self, Error};
use nowcheck::input_file;
use tokio::time::timeout;

use super::fault::{Fault, SmtpFault};
use super::notice::Notice;
use crate::config::{Email, Encryption, UnusableSetting};
use crate::http_client::Hidden;

/// How much of what the server says is quoted.
const EXCERPT: usize = 300;
/// How long a server may take to answer QUIT after it accepted the message.
const TIME_TO_QUIT: Duration = Duration::from_secs(1);

/// Sends one message. The server has to accept it within the limit.
pub(super) async fn send(settings: &Email, notice: &Notice, limit: Duration) -> Result<(), Fault> {
    let delivered = timeout(limit, deliver(settings, notice)).await;
    let mut connection = delivered.map_err(|_| SmtpFault::Silent(limit))??;
    // The server has the message. A failure from here on would send it again.
    let _ = timeout(TIME_TO_QUIT, connection.quit()).await;
    Ok(())
}

/// Returns the connection once the server has accepted the message.
async fn deliver(settings: &Email, notice: &Notice) -> Result<AsyncSmtpConnection, Fault> {
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
    let sent = connection.send(message.envelope(), &message.formatted()).await;
    sent.map_err(|error| words.of_answer(&error))?;
    Ok(connection)
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
