//! Writes lines to standard output and standard error without blocking those that log.
//!
//! A [`LineSender`] appends lines to a buffer of its own, without a system call. One thread writes the buffers out, and is
//! the only one that waits for a slow reader. Lines that do not fit into a buffer are dropped and counted.

use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

/// The capacity of one buffer, in bytes.
const CAPACITY: usize = 1 << 20;

/// The most that is written in one call, in bytes: how much of a longer write a stalled reader took cannot be known.
const WRITE_SIZE: usize = 8 << 10;

/// How long batched lines wait before they are written together.
const BATCH_INTERVAL: Duration = Duration::from_millis(50);

/// One output, such as standard output, and the thread that writes to it.
#[derive(Debug)]
pub(crate) struct BackgroundWriter {
    queues: Arc<Queues>,
    writer: Thread,
    /// Disconnected when the last line is written.
    done: Mutex<Receiver<()>>,
}

#[derive(Debug, Default)]
struct Queues {
    buffers: Mutex<Vec<Arc<Mutex<Vec<u8>>>>>,
    dropped: AtomicU64,
    /// Lines that the thread is writing.
    in_progress: AtomicU64,
    is_closing: AtomicBool,
    /// Whether any sender is batched.
    is_batching: AtomicBool,
}

impl BackgroundWriter {
    pub(crate) fn new(name: &str, sink: impl Write + Send + 'static) -> io::Result<Self> {
        let queues = Arc::new(Queues::default());
        let (end, done) = channel();
        let work = {
            let queues = Arc::clone(&queues);
            move || {
                queues.run(sink);
                drop(end);
            }
        };
        let writer = thread::Builder::new().name(name.into()).spawn(work)?.thread().clone();
        Ok(Self { queues, writer, done: Mutex::new(done) })
    }

    /// A sender whose lines are written at once.
    pub(crate) fn sender(&self) -> LineSender {
        self.new_sender(true)
    }

    /// A sender whose lines are written in batches, which costs no system call for each.
    pub(crate) fn batched_sender(&self) -> LineSender {
        self.queues.is_batching.store(true, Ordering::Relaxed);
        self.writer.unpark();
        self.new_sender(false)
    }

    fn new_sender(&self, is_immediate: bool) -> LineSender {
        let buffer = Arc::new(Mutex::new(Vec::new()));
        lock(&self.queues.buffers).push(Arc::clone(&buffer));
        LineSender { buffer, queues: Arc::clone(&self.queues), writer: self.writer.clone(), is_immediate }
    }

    /// Lines that did not fit, or could not be written.
    pub(crate) fn dropped(&self) -> u64 {
        self.queues.dropped.load(Ordering::Relaxed)
    }

    /// Waits until all lines are written, for `patience` at most. Lines that are left then count as dropped.
    pub(crate) fn finish(&self, patience: Duration) {
        self.queues.is_closing.store(true, Ordering::Release);
        self.writer.unpark();
        // Nothing is ever sent: the thread drops its end when it is done.
        if lock(&self.done).recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            let buffers = lock(&self.queues.buffers).clone();
            let waiting: u64 = buffers.iter().map(|buffer| lines_in(&lock(buffer))).sum();
            let in_progress = self.queues.in_progress.load(Ordering::Relaxed);
            self.queues.dropped.fetch_add(waiting + in_progress, Ordering::Relaxed);
        }
    }
}

/// Wait between attempts to write to a pipe that another process made non-blocking.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

impl Queues {
    /// Writes lines, however slowly they are read. Lines that cannot be written count as dropped.
    fn write_out(&self, sink: &mut impl Write, mut lines: &[u8]) {
        self.in_progress.store(lines_in(lines), Ordering::Relaxed);
        while !lines.is_empty() {
            match sink.write(&lines[..lines.len().min(WRITE_SIZE)]) {
                Ok(written @ 1..) => {
                    lines = &lines[written..];
                    self.in_progress.store(lines_in(lines), Ordering::Relaxed);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Another process made the pipe non-blocking. Wait, as if it were blocking.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY_INTERVAL),
                Ok(0) | Err(_) => {
                    self.in_progress.store(0, Ordering::Relaxed);
                    self.dropped.fetch_add(lines_in(lines), Ordering::Relaxed);
                    return;
                }
            }
        }
        // Unbuffered output needs no flush; buffered output reports its error at the next line.
        let _ = sink.flush();
    }

    /// Writes lines until the writer is closed, and then what is left.
    fn run(&self, mut sink: impl Write) {
        let mut batch = Vec::new();
        loop {
            // Read before the buffers, so that the last pass comes after the last line.
            let is_closing = self.is_closing.load(Ordering::Acquire);
            let buffers = lock(&self.buffers).clone();
            let mut was_idle = true;
            for buffer in &buffers {
                mem::swap(&mut *lock(buffer), &mut batch);
                if !batch.is_empty() {
                    was_idle = false;
                    self.write_out(&mut sink, &batch);
                    batch.clear();
                }
            }
            if is_closing {
                return;
            }
            if self.is_batching.load(Ordering::Relaxed) {
                thread::park_timeout(BATCH_INTERVAL);
            } else if was_idle {
                thread::park();
            }
        }
    }
}

/// Appends lines to a buffer, which the thread of a [`BackgroundWriter`] writes out.
#[derive(Debug)]
pub(crate) struct LineSender {
    buffer: Arc<Mutex<Vec<u8>>>,
    queues: Arc<Queues>,
    writer: Thread,
    is_immediate: bool,
}

impl LineSender {
    /// A sender without a thread: its lines stay in the buffer, which is returned too.
    pub(crate) fn without_writer() -> (Self, Arc<Mutex<Vec<u8>>>) {
        let buffer = Arc::new(Mutex::new(Vec::new()));
        let queues = Arc::new(Queues::default());
        (Self { buffer: Arc::clone(&buffer), queues, writer: thread::current(), is_immediate: false }, buffer)
    }

    /// Queues a line, which ends with a line feed, or drops it when the buffer is full.
    pub(crate) fn write_line(&self, line: &[u8]) {
        let mut buffer = lock(&self.buffer);
        let before = buffer.len();
        let after = before + line.len();
        if after > CAPACITY {
            self.queues.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        buffer.extend_from_slice(line);
        drop(buffer);
        if self.is_immediate || (before < CAPACITY / 4 && after >= CAPACITY / 4) {
            self.writer.unpark();
        }
    }
}

impl Write for &LineSender {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The number of line feeds.
fn lines_in(bytes: &[u8]) -> u64 {
    bytes.split(|&byte| byte == b'\n').count() as u64 - 1
}

/// A panic aborts the process, so no lock is ever poisoned.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Takes a line only when the test allows it.
    struct Slow(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv_timeout(PATIENCE);
            lock(&self.1).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stalled_reader_blocks_no_sender_and_dropped_lines_are_counted() {
        let (go, wait) = channel();
        let read = Arc::new(Mutex::new(Vec::new()));
        let writer = BackgroundWriter::new("slow", Slow(wait, Arc::clone(&read))).unwrap();
        let sender = writer.batched_sender();
        let line = [[b'x'; 1023].as_slice(), b"\n"].concat();
        for _ in 0..4_000 {
            sender.write_line(&line);
        }
        let dropped = writer.dropped();
        assert!((1_900..=2_976).contains(&dropped), "{dropped}");
        drop(go);
        writer.finish(PATIENCE);
        assert_eq!(lock(&read).len() as u64, (4_000 - dropped) * 1_024);
    }

    #[test]
    fn lines_left_at_the_end_because_of_a_stalled_reader_are_counted_as_dropped() {
        let (go, wait) = channel();
        let read = Arc::new(Mutex::new(Vec::new()));
        let writer = BackgroundWriter::new("stuck", Slow(wait, Arc::clone(&read))).unwrap();
        let (sender, other) = (writer.sender(), writer.sender());
        for _ in 0..100 {
            sender.write_line(b"one\n");
            other.write_line(b"two\n");
        }
        writer.finish(Duration::from_millis(50));
        assert_eq!(writer.dropped(), 200);
        drop(go);
    }

    #[test]
    fn the_last_line_is_written_when_finish_returns() {
        let read = Arc::new(Mutex::new(Vec::new()));
        let (go, wait) = channel();
        drop(go);
        let writer = BackgroundWriter::new("last", Slow(wait, Arc::clone(&read))).unwrap();
        writer.sender().write_line(b"first\n");
        writer.batched_sender().write_line(b"last\n");
        writer.finish(PATIENCE);
        assert_eq!(lock(&read).as_slice(), b"first\nlast\n");
    }
}
