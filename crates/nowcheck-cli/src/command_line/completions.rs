//! The completions for shells are made from the command line, and checked in. They are those of the program with the monitor.

use clap::CommandFactory as _;
use clap_complete::Shell;
use expect_test::{ExpectFile, expect_file};

use super::CommandLine;

#[test]
fn the_completions_are_up_to_date() {
    // UPDATE_EXPECT=1 writes them anew.
    let files: [(Shell, ExpectFile); 3] = [
        (Shell::Bash, expect_file!["../../../../contrib/completions/nowcheck.bash"]),
        (Shell::Zsh, expect_file!["../../../../contrib/completions/nowcheck.zsh"]),
        (Shell::Fish, expect_file!["../../../../contrib/completions/nowcheck.fish"]),
    ];
    for (shell, file) in files {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut CommandLine::command(), "nowcheck", &mut script);
        file.assert_eq(&String::from_utf8(script).unwrap());
    }
}
