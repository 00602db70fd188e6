//! The thread for everything that takes its time and must not delay a round: pages, alerts, exports.

use std::io;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// How long its end is waited for: a page may be in the middle of a long query.
const PATIENCE: Duration = Duration::from_millis(150);

/// A runtime on a thread of its own. When this is dropped, all that runs there ends, and that is waited for: a program
/// that an alert started is killed there.
#[derive(Debug)]
pub(crate) struct SideThread {
    handle: Handle,
    /// Ends the thread when it is dropped.
    lives: Option<oneshot::Sender<()>>,
    /// Disconnected when all has ended. In a mutex, so that others may share this thread; it is taken at the end alone.
    ended: Mutex<mpsc::Receiver<()>>,
}

impl SideThread {
    /// Starts the thread, under a name.
    ///
    /// # Errors
    /// When this machine has none to give.
    pub(crate) fn start(name: &str) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (lives, must_end) = oneshot::channel();
        let (ends, ended) = mpsc::channel();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            // An error is what is waited for: nobody sends.
            let _ = runtime.block_on(must_end);
            runtime.shutdown_background();
            drop(ends);
        })?;
        Ok(Self { handle, lives: Some(lives), ended: Mutex::new(ended) })
    }

    /// Where to spawn what runs there.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for SideThread {
    fn drop(&mut self) {
        drop(self.lives.take());
        // An error is what is waited for: nobody sends.
        if let Ok(ended) = self.ended.get_mut() {
            let _ = ended.recv_timeout(PATIENCE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    /// Something that has to be tidied up, which takes its time.
    struct Tidied(Arc<AtomicBool>);

    impl Drop for Tidied {
        fn drop(&mut self) {
            thread::sleep(Duration::from_millis(50));
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn all_that_runs_there_has_ended_before_the_program_goes_on() {
        let side = SideThread::start("side").unwrap();
        let (is_tidy, (begun, running)) = (Arc::new(AtomicBool::new(false)), std::sync::mpsc::channel());
        let tidied = Tidied(Arc::clone(&is_tidy));
        side.handle().spawn(async move {
            let _tidied = tidied;
            begun.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        running.recv().unwrap();
        drop(side);
        assert!(is_tidy.load(Ordering::SeqCst));
    }
}
