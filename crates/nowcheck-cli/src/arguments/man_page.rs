//! The man page of nowcheck is made from its command line, and checked in.

use std::io::{self, Write as _};

use super::Arguments;
use clap::CommandFactory as _;
use expect_test::expect_file;

/// clap's own sections, and what follows the help as sections of its own.
fn man_page() -> io::Result<String> {
    let man = clap_mangen::Man::new(Arguments::command().name("nowcheck")).date("");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let after_help = Arguments::command().get_after_help().map(ToString::to_string).unwrap_or_default();
    for section in after_help.split("\n\n") {
        // A paragraph without a title of its own goes on about what the page is about.
        let (title, lines) = section.split_once(":\n").unwrap_or(("Verdict", section));
        let lines = lines.replace('\\', "\\e").replace('-', "\\-");
        writeln!(page, ".SH {}\n.nf\n{lines}\n.fi", title.to_uppercase())?;
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}

#[test]
fn the_man_page_is_up_to_date() {
    // UPDATE_EXPECT=1 writes it anew.
    expect_file!["../../../../docs/man/nowcheck.1"]
        .assert_eq(&man_page().expect("it can be written to memory"));
}
