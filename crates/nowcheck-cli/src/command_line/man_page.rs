//! The man page of nowcheck is made from its command line, and checked in.

use std::io::{self, Write as _};

use super::CommandLine;
use clap::CommandFactory as _;
use expect_test::expect_file;

/// Every flag with the name of its value, which clap's own synopsis leaves out.
fn synopsis(command: &clap::Command) -> String {
    let mut words = vec![format!("\\fB{}\\fR", command.get_name())];
    for flag in command.get_opts() {
        let short = flag.get_short().map(|short| format!("\\fB\\-{short}\\fR"));
        let long = flag.get_long().map(|long| format!("\\fB\\-\\-{}\\fR", roff(long)));
        let names: Vec<String> = short.into_iter().chain(long).collect();
        let value = match flag.get_value_names() {
            Some(values) if flag.get_action().takes_values() => {
                format!(" \\fI{}\\fR", roff(&values.join(" ")))
            }
            _ => String::new(),
        };
        words.push(format!("[{}{value}]", names.join("|")));
    }
    words.push("[\\fIURL\\fR...]\n.br\n\\fBnowcheck\\fR \\fICOMMAND\\fR".to_owned());
    words.join(" ")
}

/// Text as roff reads it.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// clap's own sections, and what follows the help as sections of its own.
fn man_page() -> io::Result<String> {
    // A page that is checked in cannot name the commit.
    let command = CommandLine::command().name("nowcheck").version(env!("CARGO_PKG_VERSION"));
    let man = clap_mangen::Man::new(command).date("");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    writeln!(page, ".SH SYNOPSIS\n{}", synopsis(&CommandLine::command()))?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    writeln!(page, ".SH COMMANDS")?;
    for command in CommandLine::command().get_subcommands() {
        let about = command.get_about().unwrap_or_default().to_string();
        writeln!(page, ".TP\n\\fB{}\\fR\n{}", command.get_name(), roff(&about))?;
    }
    let after_help = CommandLine::command().get_after_help().map(ToString::to_string).unwrap_or_default();
    for section in after_help.split("\n\n") {
        let (title, lines) = match section.split_once(":\n") {
            Some((title, lines)) => (Some(title), lines),
            // A further paragraph of the section before.
            None => (None, section),
        };
        let heading = title.map_or(".PP".to_owned(), |title| format!(".SH {}", title.to_uppercase()));
        writeln!(page, "{heading}\n.nf\n{}\n.fi", roff(lines))?;
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}

#[test]
fn the_man_page_is_up_to_date() {
    // UPDATE_EXPECT=1 writes it anew.
    expect_file!["../../../../docs/man/nowcheck.1"]
        .assert_eq(&man_page().expect("it can be written to memory"));
}
