//! Lines on their way to standard output and standard error.
//!
//! Whoever has a line leaves it in a buffer of its own, which takes no system call; a thread carries the buffers away and
//! is the only one that waits when the reader is slow. What does not fit into a buffer then is dropped and counted.

use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

/// The most that waits in one buffer, in bytes.
const CAPACITY: usize = 1 << 20;

/// The most that is written at once, in bytes: of a longer piece, nobody could say how much a reader took that stands still.
const PIECE: usize = 8 << 10;

/// How long lines that are in no hurry wait to be carried away together.
const ROUND: Duration = Duration::from_millis(50);

/// One way out, such as standard output, and the thread that serves it.
#[derive(Debug)]
pub(crate) struct Outlet {
    shared: Arc<Shared>,
    writer: Thread,
    /// Ends when the last line is out.
    done: Mutex<Receiver<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    buffers: Mutex<Vec<Arc<Mutex<Vec<u8>>>>>,
    dropped: AtomicU64,
    /// Lines that the thread is about to write.
    carried: AtomicU64,
    is_closing: AtomicBool,
    /// Whether there are buffers whose lines wait for the next round.
    has_rounds: AtomicBool,
}

impl Outlet {
    pub(crate) fn new(name: &str, sink: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (end, done) = channel();
        let work = {
            let shared = Arc::clone(&shared);
            move || {
                shared.carry(sink);
                drop(end);
            }
        };
        let writer = thread::Builder::new().name(name.into()).spawn(work)?.thread().clone();
        Ok(Self { shared, writer, done: Mutex::new(done) })
    }

    /// A pen whose lines are carried away at once.
    pub(crate) fn pen(&self) -> Pen {
        self.new_pen(true)
    }

    /// A pen whose lines are in no hurry, and so cost no system call.
    pub(crate) fn patient_pen(&self) -> Pen {
        self.shared.has_rounds.store(true, Ordering::Relaxed);
        self.writer.unpark();
        self.new_pen(false)
    }

    fn new_pen(&self, hurries: bool) -> Pen {
        let buffer = Arc::new(Mutex::new(Vec::new()));
        lock(&self.shared.buffers).push(Arc::clone(&buffer));
        Pen { buffer, shared: Arc::clone(&self.shared), writer: self.writer.clone(), hurries }
    }

    /// Lines that did not fit.
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Waits until everything is out, but not for ever: the reader may have stopped to read. What is left then is lost.
    pub(crate) fn finish(&self, patience: Duration) {
        self.shared.is_closing.store(true, Ordering::Release);
        self.writer.unpark();
        // That it is done is told by an error: nothing is ever sent.
        if lock(&self.done).recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            let buffers = lock(&self.shared.buffers).clone();
            let waiting: u64 = buffers.iter().map(|buffer| lines_in(&lock(buffer))).sum();
            let carried = self.shared.carried.load(Ordering::Relaxed);
            self.shared.dropped.fetch_add(waiting + carried, Ordering::Relaxed);
        }
    }
}

/// A reader that shares its end of a pipe without blocking is asked again after this.
const UNTIL_READABLE: Duration = Duration::from_millis(10);

impl Shared {
    /// Writes lines, however slowly they are read. A reader that is gone is no reason to stop telling the time: what
    /// it can no longer be told is counted.
    fn deliver(&self, sink: &mut impl Write, mut lines: &[u8]) {
        self.carried.store(lines_in(lines), Ordering::Relaxed);
        while !lines.is_empty() {
            match sink.write(&lines[..lines.len().min(PIECE)]) {
                Ok(written @ 1..) => {
                    lines = &lines[written..];
                    self.carried.store(lines_in(lines), Ordering::Relaxed);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Somebody else made the pipe so; the lines wait, as in one that blocks.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(UNTIL_READABLE),
                Ok(0) | Err(_) => {
                    self.carried.store(0, Ordering::Relaxed);
                    self.dropped.fetch_add(lines_in(lines), Ordering::Relaxed);
                    return;
                }
            }
        }
        // What is written unbuffered needs none; an outlet that buffers tells its fault at the next line.
        let _ = sink.flush();
    }

    /// Carries lines until the outlet is closed, and then what is left.
    fn carry(&self, mut sink: impl Write) {
        let mut load = Vec::new();
        loop {
            // Before the buffers are looked at, so that the last look comes after the last line.
            let is_closing = self.is_closing.load(Ordering::Acquire);
            let buffers = lock(&self.buffers).clone();
            let mut was_idle = true;
            for buffer in &buffers {
                mem::swap(&mut *lock(buffer), &mut load);
                if !load.is_empty() {
                    was_idle = false;
                    self.deliver(&mut sink, &load);
                    load.clear();
                }
            }
            if is_closing {
                return;
            }
            if self.has_rounds.load(Ordering::Relaxed) {
                thread::park_timeout(ROUND);
            } else if was_idle {
                thread::park();
            }
        }
    }
}

/// Leaves lines in a buffer.
#[derive(Debug)]
pub(crate) struct Pen {
    buffer: Arc<Mutex<Vec<u8>>>,
    shared: Arc<Shared>,
    writer: Thread,
    hurries: bool,
}

impl Pen {
    /// A pen whose lines stay in the buffer, which is returned too: no thread carries them away.
    pub(crate) fn without_writer() -> (Self, Arc<Mutex<Vec<u8>>>) {
        let buffer = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::new(Shared::default());
        (Self { buffer: Arc::clone(&buffer), shared, writer: thread::current(), hurries: false }, buffer)
    }

    /// Leaves a line, with its line feed, or drops it when too many wait already.
    pub(crate) fn write_line(&self, line: &[u8]) {
        let mut buffer = lock(&self.buffer);
        let before = buffer.len();
        let after = before + line.len();
        if after > CAPACITY {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        buffer.extend_from_slice(line);
        drop(buffer);
        if self.hurries || (before < CAPACITY / 4 && after >= CAPACITY / 4) {
            self.writer.unpark();
        }
    }
}

impl Write for &Pen {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lines that end in there, one that has begun before among them.
fn lines_in(bytes: &[u8]) -> u64 {
    bytes.split(|&byte| byte == b'\n').count() as u64 - 1
}

/// A panic ends the process, so nobody can have left a lock in disorder.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Takes a line only when the test lets it.
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
    fn a_reader_that_does_not_read_holds_nobody_up_and_what_is_lost_is_counted() {
        let (go, wait) = channel();
        let read = Arc::new(Mutex::new(Vec::new()));
        let outlet = Outlet::new("slow", Slow(wait, Arc::clone(&read))).unwrap();
        let pen = outlet.patient_pen();
        let line = [[b'x'; 1023].as_slice(), b"\n"].concat();
        for _ in 0..4_000 {
            pen.write_line(&line);
        }
        let dropped = outlet.dropped();
        assert!((1_900..=2_976).contains(&dropped), "{dropped}");
        drop(go);
        outlet.finish(PATIENCE);
        assert_eq!(lock(&read).len() as u64, (4_000 - dropped) * 1_024);
    }

    #[test]
    fn what_is_left_when_the_reader_stands_still_at_the_end_is_counted_as_lost() {
        let (go, wait) = channel();
        let read = Arc::new(Mutex::new(Vec::new()));
        let outlet = Outlet::new("stuck", Slow(wait, Arc::clone(&read))).unwrap();
        let (pen, other) = (outlet.pen(), outlet.pen());
        for _ in 0..100 {
            pen.write_line(b"one\n");
            other.write_line(b"two\n");
        }
        outlet.finish(Duration::from_millis(50));
        assert_eq!(outlet.dropped(), 200);
        drop(go);
    }

    #[test]
    fn the_last_line_is_out_when_it_has_finished() {
        let read = Arc::new(Mutex::new(Vec::new()));
        let (go, wait) = channel();
        drop(go);
        let outlet = Outlet::new("last", Slow(wait, Arc::clone(&read))).unwrap();
        outlet.pen().write_line(b"first\n");
        outlet.patient_pen().write_line(b"last\n");
        outlet.finish(PATIENCE);
        assert_eq!(lock(&read).as_slice(), b"first\nlast\n");
    }
}
