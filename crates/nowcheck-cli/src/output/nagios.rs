//! What a monitoring plugin prints: status, sentence and performance data on the first line, more below it.
//!
//! The form is that of the Nagios Plugin API: `TEXT | DATA`, lines of text, the last of them with `| DATA` again.

use nowcheck::outcome::{Outcome, Status, TargetOutcome};
use nowcheck::report::place;

use crate::charset::Charset;
use crate::setting_names::words;

use super::human;
use super::perfdata::{self, Item};

/// NRPE hands on 1,024 bytes at the most (before its version 3), which hold the line feed and a final zero.
const LONGEST_LINE: usize = 1_022;

/// What is left are the series that are worth the most.
const LONGEST_TEXT: usize = 700;

/// A longer one is cut in its middle.
const LONGEST_URL: usize = 100;

/// More addresses that are not OK than that are not all named on the first line.
const MOST_NAMED: usize = 4;

/// A plugin's line, with its line feed, when there is no outcome.
#[must_use]
pub(crate) fn without_outcome(message: &str) -> String {
    format!("{}\n", shortened(&first_text(Status::Unknown, message), LONGEST_LINE))
}

/// The outcome, each line with its line feed. What has no room on the first line follows below it, and so do the details,
/// if they are wanted.
#[must_use]
pub(crate) fn lines(outcome: &Outcome, has_details: bool, charset: Charset) -> String {
    let whole_text = charset.encoded(&text(outcome)).into_owned();
    let text = shortened(&whole_text, LONGEST_TEXT);
    let (data, more_data) = divided(perfdata::items(outcome), LONGEST_LINE - text.len() - " | ".len());
    let bad = outcome.targets.iter().filter(|target| target.status() != Status::Ok).count();
    let mut printed = format!("{text} | {data}\n");
    if has_details || !more_data.is_empty() || text.len() < whole_text.len() || bad > MOST_NAMED {
        let below = if has_details { details(outcome) } else { each_target(outcome) };
        printed.push_str(without_bars(&charset.encoded(&below)).trim_end());
        if !more_data.is_empty() {
            printed.push_str(" | ");
            printed.push_str(&more_data);
        }
        printed.push('\n');
    }
    printed
}

fn text(outcome: &Outcome) -> String {
    let mut sentence = words().summary(outcome);
    for target in &outcome.targets {
        if target.url.len() > LONGEST_URL {
            sentence = sentence.replace(&target.url, &shortened(&target.url, LONGEST_URL));
        }
    }
    // Of several addresses the sentence names the one that it is about.
    let address = match outcome.targets[..] {
        [ref only] if only.status() != Status::Ok => only.address.map(|address| format!("{address}: ")),
        _ => None,
    };
    first_text(outcome.status(), &format!("{}{sentence}", address.unwrap_or_default()))
}

fn first_text(status: Status, sentence: &str) -> String {
    format!("NOWCHECK {} - {}", status.name(), without_bars(sentence).replace('\n', " "))
}

/// A bar would begin the performance data.
fn without_bars(text: &str) -> String {
    text.replace('|', "/")
}

/// As the output for people has them; colors are for terminals.
fn details(outcome: &Outcome) -> String {
    anstream::adapter::strip_str(&human::lines(outcome)).to_string()
}

/// A line for each address that is not OK; when there is none, for all.
fn each_target(outcome: &Outcome) -> String {
    let line = |target: &TargetOutcome| {
        let summary = words().target_summary(target, &outcome.limits);
        format!("{} {}: {summary}\n", target.status().name(), place(target))
    };
    let is_shown = |target: &&TargetOutcome| outcome.status() == Status::Ok || target.status() != Status::Ok;
    outcome.targets.iter().filter(is_shown).map(line).collect()
}

/// What has room on the first line, and the rest. As long as all of them do, they stay in the order of the addresses.
fn divided(mut items: Vec<Item>, room: usize) -> (String, String) {
    let length =
        |items: &[Item]| items.iter().map(|item| item.text.len() + 1).sum::<usize>().saturating_sub(1);
    if length(&items) > room {
        items.sort_by_key(|item| item.rank);
    }
    let fitting = (0..=items.len()).rfind(|&count| length(&items[..count]) <= room).unwrap_or_default();
    let joined = |items: &[Item]| items.iter().map(|item| item.text.as_str()).collect::<Vec<_>>().join(" ");
    (joined(&items[..fitting]), joined(&items[fitting..]))
}

/// A text of at most that many bytes. The status, the counts and the worst stand at its start, and what a reader has to know
/// of the reference at its end.
fn shortened(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mark = "...";
    let end = &text[text.ceil_char_boundary(text.len() - most / 4)..];
    let start = &text[..text.floor_char_boundary(most - end.len() - mark.len())];
    format!("{start}{mark}{end}")
}
