//! The only file that writes to the terminal. Color codes stay where a person watches (a terminal, `NO_COLOR`
//! not set), and are stripped elsewhere.

use std::io::{self, ErrorKind, Write};
use std::sync::mpsc;
use std::thread;

use anstream::AutoStream;
use tokio::sync::oneshot;

/// Standard output.
#[derive(Debug)]
pub(crate) struct Stdout(AutoStream<io::Stdout>);

impl Stdout {
    /// Standard output, with color when it is a terminal and nobody asked for none.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self(anstream::stdout())
    }

    /// Writes a text at once. Says whether somebody still reads: a closed pipe is the reader's decision and no
    /// error.
    ///
    /// # Errors
    /// When the text cannot be written for another reason, such as a full disk.
    pub(crate) fn write(&mut self, text: &str) -> io::Result<bool> {
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

/// Lines that may wait for a slow reader.
const LONGEST_QUEUE: usize = 10_000;

/// Lines that go to standard output one after the other, on a thread of their own.
#[derive(Debug)]
pub(crate) struct BackgroundWriter {
    queue: Option<mpsc::SyncSender<String>>,
    ended: Option<oneshot::Receiver<io::Result<()>>>,
}

impl BackgroundWriter {
    /// Starts the thread. It ends with the last line, or when nobody reads any more.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(crate) fn start() -> io::Result<Self> {
        let (queue, lines) = mpsc::sync_channel::<String>(LONGEST_QUEUE);
        let (end, ended) = oneshot::channel();
        thread::Builder::new().name("output".to_owned()).spawn(move || {
            let mut stdout = Stdout::new();
            let written = lines.into_iter().find_map(|line| match stdout.write(&line) {
                Ok(true) => None,
                Ok(false) => Some(Ok(())),
                Err(error) => Some(Err(error)),
            });
            // Nobody waits for it when the program is about to end.
            let _ = end.send(written.unwrap_or(Ok(())));
        })?;
        Ok(Self { queue: Some(queue), ended: Some(ended) })
    }

    /// Puts a line in the queue. When that is full, because nobody has read for a long time, the line is dropped.
    pub(crate) fn write(&self, line: String) {
        if let Some(queue) = &self.queue {
            // The thread is gone when nobody reads any more; `nobody_reads` tells.
            let _ = queue.try_send(line);
        }
    }

    /// Ends when lines cannot be written any more.
    pub(crate) async fn nobody_reads(&mut self) {
        match &mut self.ended {
            Some(ended) => {
                let written = ended.await.unwrap_or(Ok(()));
                let (keep, kept) = oneshot::channel();
                let _ = keep.send(written);
                self.ended = Some(kept);
            }
            None => std::future::pending().await,
        }
    }

    /// Waits until all lines are written.
    ///
    /// # Errors
    /// When one could not be, for another reason than that nobody reads.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        self.queue = None;
        match self.ended.take() {
            Some(ended) => ended.await.unwrap_or(Ok(())),
            None => Ok(()),
        }
    }
}

/// Writes lines to standard error as they are: each names its file.
#[cfg(feature = "watch")]
pub(crate) fn lines_to_stderr(lines: &str) {
    let _ = writeln!(anstream::stderr(), "{lines}");
}

/// Writes a line to standard error. When even that fails, nobody is left to be told.
pub(crate) fn to_stderr(line: &str) {
    let _ = writeln!(anstream::stderr(), "nowcheck: {line}");
}
