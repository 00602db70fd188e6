//! The message itself.

use std::fmt::Write as _;
use std::time::SystemTime;

use lettre::Message;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};

use crate::alerts::fault::{Fault, SmtpFault};
use crate::alerts::notice::Notice;
use crate::config::Email;

/// What a subject may be long; programs cut it anyway.
const SUBJECT: usize = 200;

/// The message, the same on each try.
pub(super) fn message(settings: &Email, notice: &Notice) -> Result<Message, Fault> {
    let from = mailbox(&settings.from, "from")?;
    let domain = from.email.domain().to_owned();
    let mut builder = Message::builder()
        .message_id(Some(identifier(&notice.id, &domain)))
        .date(SystemTime::from(notice.at))
        .subject(subject(notice))
        .from(from);
    for to in &settings.to {
        builder = builder.to(mailbox(to, "to")?);
    }
    let built = in_thread(builder, notice, &domain).header(ContentType::TEXT_PLAIN).body(body(notice));
    built.map_err(|_| SmtpFault::Address("one of from and to").into())
}

/// Programs show what refers to the same message as one conversation.
fn in_thread(builder: MessageBuilder, notice: &Notice, domain: &str) -> MessageBuilder {
    match &notice.incident {
        Some(incident) => builder.references(identifier(&format!("incident-{incident}"), domain)),
        None => builder,
    }
}

fn mailbox(text: &str, key: &'static str) -> Result<Mailbox, Fault> {
    text.parse().map_err(|_| SmtpFault::Address(key).into())
}

/// `<LOCAL@DOMAIN>`, of characters that need no quoting (RFC 5322 section 3.2.3).
fn identifier(local: &str, domain: &str) -> String {
    let mut safe = String::new();
    for byte in local.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            safe.push(char::from(byte));
        } else {
            // Writing to a string cannot fail. Two names stay two names.
            let _ = write!(safe, "_{byte:02x}");
        }
    }
    format!("<{safe}@{domain}>")
}

fn subject(notice: &Notice) -> String {
    let one_line: String = notice.headline().chars().filter(|one| !one.is_control()).collect();
    let mut subject: String = one_line.chars().take(SUBJECT).collect();
    if subject.len() < one_line.len() {
        subject.push('…');
    }
    subject
}

fn body(notice: &Notice) -> String {
    let mut text = format!("{}\n", notice.headline());
    let mut line = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{name}: {value}");
    };
    if let Some(advice) = &notice.advice {
        line("What to do", advice);
    }
    line("Since", &notice.since.to_string());
    line("At", &notice.at.to_string());
    line("Reason", &notice.reason);
    if !notice.backends.is_empty() {
        line("Backends", &notice.backends.join(", "));
    }
    if let Some(offset) = &notice.offset {
        line("Offset", &format!("{} s to {} s", offset.lower, offset.upper));
    }
    for (label, value) in &notice.labels {
        line(label, value);
    }
    line("Monitor", &notice.monitor);
    if let Some(link) = &notice.link {
        line("More", link);
    }
    text.push('\n');
    text
}
