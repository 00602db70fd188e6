//! The man pages of nowcheck and its commands are made from its command line, and checked in.

use std::io::{self, Write as _};

use super::CommandLine;
use clap::CommandFactory as _;
use expect_test::expect_file;

/// Every flag and argument with the name of its value, which clap's own synopsis leaves out.
fn synopsis(command: &clap::Command) -> String {
    let name = command.get_display_name().unwrap_or(command.get_name()).replace('-', " ");
    let mut words = vec![format!("\\fB{name}\\fR")];
    for flag in command.get_arguments().filter(|flag| !flag.is_positional() && flag.get_id() != "help") {
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
    for argument in command.get_positionals() {
        let value = argument.get_value_names().unwrap_or_default().join(" ");
        let more = if matches!(argument.get_action(), clap::ArgAction::Append) { "..." } else { "" };
        let value = format!("\\fI{}\\fR{more}", roff(&value));
        words.push(if argument.is_required_set() { value } else { format!("[{value}]") });
    }
    words.join(" ")
}

/// What follows the help, as sections of its own.
fn write_after_help(page: &mut Vec<u8>, command: &clap::Command) -> io::Result<()> {
    let after_help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    for section in after_help.split("\n\n").filter(|section| !section.is_empty()) {
        let (title, lines) = match section.split_once(":\n") {
            Some((title, lines)) => (Some(title), lines),
            // A further paragraph of the section before.
            None => (None, section),
        };
        let heading = title.map_or(".PP".to_owned(), |title| format!(".SH {}", title.to_uppercase()));
        writeln!(page, "{heading}\n.nf\n{}\n.fi", roff(lines))?;
    }
    Ok(())
}

/// Text as roff reads it.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// clap's own sections, the commands, and what follows the help.
fn man_page() -> io::Result<String> {
    // A page that is checked in cannot name the commit.
    let command = CommandLine::command().name("nowcheck").version(env!("CARGO_PKG_VERSION"));
    let man = clap_mangen::Man::new(command).date("");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let synopsis = synopsis(&CommandLine::command().name("nowcheck"));
    writeln!(page, ".SH SYNOPSIS\n{synopsis}\n.br\n\\fBnowcheck\\fR \\fICOMMAND\\fR")?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    writeln!(page, ".SH COMMANDS")?;
    for command in CommandLine::command().get_subcommands() {
        let about = command.get_about().unwrap_or_default().to_string();
        writeln!(page, ".TP\n\\fB{}\\fR\n{}", command.get_name(), roff(&about))?;
        if has_page(command) {
            writeln!(page, "See \\fBnowcheck\\-{}\\fR(1).", command.get_name())?;
        }
    }
    write_after_help(&mut page, &CommandLine::command())?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// Whether a command has flags of its own: `check` has those of the main page.
fn has_page(command: &clap::Command) -> bool {
    !["check", "help"].contains(&command.get_name())
}

/// The pages of a command and those below it, by their names: `nowcheck-config-check`.
fn pages_of(command: &clap::Command, pages: &mut Vec<(String, String)>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_default().to_owned();
    let source = format!("{name} {}", env!("CARGO_PKG_VERSION"));
    let man = clap_mangen::Man::new(command.clone()).date("").title(&name).source(source);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let commands = if command.has_subcommands() { " \\fICOMMAND\\fR" } else { "" };
    writeln!(page, ".SH SYNOPSIS\n{}{commands}", synopsis(command))?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    write_after_help(&mut page, command)?;
    pages.push((name, String::from_utf8_lossy(&page).into_owned()));
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        pages_of(below, pages)?;
    }
    Ok(())
}

#[test]
fn the_man_pages_of_the_commands_are_up_to_date() {
    let mut command = CommandLine::command().name("nowcheck").disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    for below in command.get_subcommands().filter(|below| has_page(below)) {
        pages_of(below, &mut pages).expect("they can be written to memory");
    }
    let folder = format!("{}/../../docs/man", env!("CARGO_MANIFEST_DIR"));
    for (name, page) in &pages {
        expect_file![format!("{folder}/{name}.1")].assert_eq(page);
    }
    let there = std::fs::read_dir(folder).expect("the folder of the pages").filter_map(Result::ok);
    let there = there.filter(|file| file.file_name().to_string_lossy().starts_with("nowcheck-")).count();
    assert_eq!(there, pages.len(), "there is a page of a command that there is not");
}

#[test]
fn the_man_page_is_up_to_date() {
    // UPDATE_EXPECT=1 writes it anew.
    expect_file!["../../../../docs/man/nowcheck.1"]
        .assert_eq(&man_page().expect("it can be written to memory"));
}
