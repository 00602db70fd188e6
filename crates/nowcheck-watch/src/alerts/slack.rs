//! What Slack, Mattermost and programs like them read: `{"text": …}` in the markup of Slack.

use std::fmt::Write as _;

use serde_json::json;

use super::notice::{Notice, NoticeEvent};
use crate::http_client::Message;

/// Slack cuts texts that are longer than 40,000 characters; nobody reads a tenth of that.
const LONGEST: usize = 3_000;

/// The request.
pub(super) fn request(notice: &Notice) -> Message {
    Message::json(json!({ "text": text(notice) }).to_string())
}

fn text(notice: &Notice) -> String {
    let mark = match notice.event {
        NoticeEvent::Closed if notice.is_parting() => ":white_circle:",
        NoticeEvent::Closed => ":white_check_mark:",
        NoticeEvent::Test => ":information_source:",
        _ => ":red_circle:",
    };
    let mut text = format!("{mark} *{}*", escaped(&notice.headline()));
    // Writing to a string cannot fail.
    if !notice.backends.is_empty() {
        let _ = write!(text, "\nbackends: {}", escaped(&notice.backends.join(", ")));
    }
    if let Some(advice) = &notice.advice {
        let _ = write!(text, "\n{}", with_code(advice));
    }
    if let Some(link) = &notice.link {
        // Angle brackets make it a link; a URL has none itself.
        let _ = write!(text, "\n<{}>", link.replace('&', "&amp;"));
    }
    text
}

/// A sentence of this program, with what people copy between backticks: that is code, in which nothing is markup.
fn with_code(text: &str) -> String {
    let text: String = text.chars().take(LONGEST).collect();
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return escaped(&text);
    }
    let part = |(nth, part): (usize, &&str)| {
        if nth.is_multiple_of(2) { escaped(part) } else { format!("`{}`", literal(part)) }
    };
    parts.iter().enumerate().map(part).collect()
}

/// Slack's own three, and what would be markup: what a service wrote mentions nobody and formats nothing.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in literal(&text.chars().take(LONGEST).collect::<String>()).chars() {
        escaped.push(character);
        // A space of no width keeps the character and takes its meaning.
        if matches!(character, '*' | '_' | '~' | '`' | '@') {
            escaped.push('\u{200b}');
        }
    }
    escaped
}

/// Slack's own three, which name people and channels, in code too.
fn literal(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::testing::notice;
    use crate::incident::ServiceStatus;

    #[test]
    fn what_a_service_wrote_mentions_nobody_and_is_no_markup() {
        let mut notice = notice(NoticeEvent::Opened);
        notice.summary = "<!channel> & *bold* @here".to_owned();
        let text = text(&notice);
        assert!(text.contains("&lt;!channel&gt; &amp; "), "{text}");
        assert!(!text.contains("<!") && !text.contains("*bold*") && !text.contains("@here"), "{text}");
    }

    #[test]
    fn what_people_copy_is_code_without_spaces_of_no_width() {
        let mut notice = notice(NoticeEvent::Opened);
        notice.advice = Some("look at `chronyc -n tracking_a@b & <x>`, not at *this*".to_owned());
        let shown = text(&notice);
        assert!(shown.contains("`chronyc -n tracking_a@b &amp; &lt;x&gt;`, not at *\u{200b}this"), "{shown}");
        notice.advice = Some("one ` of them alone *".to_owned());
        assert!(text(&notice).contains("one `\u{200b} of them alone *\u{200b}"));
    }

    #[test]
    fn what_is_no_longer_watched_has_no_mark_of_success() {
        let mut notice = notice(NoticeEvent::Closed);
        notice.status = ServiceStatus::Unknown;
        notice.summary = "shop is no longer watched".to_owned();
        let text = text(&notice);
        assert!(text.starts_with(":white_circle: *shop: no longer watched*\n"), "{text}");
    }

    #[test]
    fn the_link_leads_to_the_incident() {
        let notice = notice(NoticeEvent::Closed);
        let text = text(&notice);
        assert!(text.starts_with(":white_check_mark: *shop: resolved"), "{text}");
        assert!(text.ends_with(&format!("\n<{}>", notice.link.unwrap())), "{text}");
    }
}
