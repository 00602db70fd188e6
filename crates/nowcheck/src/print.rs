//! The only file that writes to the terminal. Colour codes stay where a person watches (a terminal, `NO_COLOR`
//! not set), and are stripped elsewhere.

use std::io::{self, ErrorKind, Write};

use anstream::AutoStream;

/// Standard output.
#[derive(Debug)]
pub struct Stdout(AutoStream<io::Stdout>);

impl Stdout {
    /// Standard output, with colour when it is a terminal and nobody asked for none.
    #[must_use]
    pub fn new() -> Self {
        Self(anstream::stdout())
    }

    /// Writes a text at once. Says whether somebody still reads: a closed pipe is the reader's decision and no
    /// error.
    ///
    /// # Errors
    /// When the text cannot be written for another reason, such as a full disk.
    pub fn write(&mut self, text: &str) -> io::Result<bool> {
        match self.0.write_all(text.as_bytes()).and_then(|()| self.0.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Default for Stdout {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes a line to standard error. When even that fails, nobody is left to be told.
pub fn to_stderr(line: &str) {
    let _ = writeln!(anstream::stderr(), "nowcheck: {line}");
}
