//! Files that people name: certificates, passwords, configurations.
//!
//! Opening a named pipe waits until somebody writes to it, and that may be never. A shell's `<(…)` is such a pipe, so it has to
//! work; but a program that is to answer, or that watches services meanwhile, must not wait for ever.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

/// The most of a file with certificates: more than all authorities of the world take.
pub const MOST_OF_CERTIFICATES: u64 = 16 * 1024 * 1024;

/// How long a pipe may have no writer, and how long a writer may be silent: a person may have to type a password first.
#[derive(Debug, Clone, Copy)]
struct Patience {
    without_writer: Duration,
    with_writer: Duration,
}

const PATIENCE: Patience =
    Patience { without_writer: Duration::from_secs(5), with_writer: Duration::from_mins(1) };
const PAUSE: Duration = Duration::from_millis(10);

/// The first `most` bytes of a file, or of what is written to a named pipe.
///
/// # Errors
/// As the system says. [`ErrorKind::TimedOut`] if a pipe has no writer for five seconds, or a silent one for a minute.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if path.metadata()?.file_type().is_fifo() {
        // Opened without waiting for a writer.
        let pipe = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        return read_pipe(pipe, most, PATIENCE);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_pipe(mut pipe: File, most: u64, patience: Patience) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut silence = Duration::ZERO;
    loop {
        let before = bytes.len();
        let left = most.saturating_sub(before as u64);
        let patience = match Read::by_ref(&mut pipe).take(left).read_to_end(&mut bytes) {
            // Before the first byte the end may as well be that nobody has begun to write.
            Ok(_) if !bytes.is_empty() => return Ok(bytes),
            Ok(_) => patience.without_writer,
            Err(error) if error.kind() == ErrorKind::WouldBlock => patience.with_writer,
            Err(error) => return Err(error),
        };
        if bytes.len() > before {
            silence = Duration::ZERO;
        }
        if silence >= patience {
            let seconds = patience.as_secs();
            let words = format!("it is a named pipe, and nobody has written to it for {seconds} s");
            return Err(io::Error::new(ErrorKind::TimedOut, words));
        }
        std::thread::sleep(PAUSE);
        silence += PAUSE;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;

    /// A named pipe in a folder of its own.
    fn pipe() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        (folder, path)
    }

    #[test]
    fn a_file_is_read_up_to_the_limit_and_a_folder_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "0123456789").unwrap();
        assert_eq!(read(&path, 100).unwrap(), b"0123456789");
        assert_eq!(read(&path, 4).unwrap(), b"0123");
        assert_eq!(read(folder.path(), 4).unwrap_err().kind(), ErrorKind::IsADirectory);
    }

    #[test]
    fn a_pipe_is_read_to_its_end_however_slowly_it_is_written() {
        let (_folder, path) = pipe();
        let writer = std::thread::spawn({
            let path = path.clone();
            move || {
                let mut file = OpenOptions::new().write(true).open(path).unwrap();
                for part in ["one ", "two ", "three"] {
                    file.write_all(part.as_bytes()).unwrap();
                    std::thread::sleep(Duration::from_millis(30));
                }
            }
        });
        assert_eq!(read(&path, 100).unwrap(), b"one two three");
        writer.join().unwrap();
    }

    #[test]
    fn a_pipe_without_a_writer_is_given_up_and_one_with_a_silent_writer_later() {
        let patience =
            Patience { without_writer: Duration::from_millis(50), with_writer: Duration::from_millis(1_500) };
        let (_folder, path) = pipe();
        let open = || OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
        assert_eq!(read_pipe(open(), 100, patience).unwrap_err().kind(), ErrorKind::TimedOut);
        let reader = open();
        let mut writer = OpenOptions::new().write(true).open(&path).unwrap();
        let typed = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            writer.write_all(b"secret").unwrap();
        });
        assert_eq!(read_pipe(reader, 100, patience).unwrap(), b"secret");
        typed.join().unwrap();
    }
}
