//! The runtime that performs a round.

use std::io;
use std::os::unix::net::UnixStream;

use anyhow::anyhow;
use tokio::runtime::{Builder, Runtime};

/// A runtime on this thread.
///
/// # Errors
/// When this machine does not give what it needs.
pub(crate) fn start() -> anyhow::Result<Runtime> {
    let started = has_descriptors().and_then(|()| Builder::new_current_thread().enable_all().build());
    started.map_err(|error| match error.raw_os_error() {
        Some(TOO_MANY_OF_THE_PROCESS | TOO_MANY_OF_THE_SYSTEM) => anyhow!(
            "this machine lets nowcheck open too few files ({error}): raise the limit (`ulimit -n`), to 64 or more"
        ),
        _ => anyhow!("this machine does not let nowcheck start ({error}): check its seccomp profile and its limits"),
    })
}

const TOO_MANY_OF_THE_PROCESS: i32 = libc::EMFILE;
const TOO_MANY_OF_THE_SYSTEM: i32 = libc::ENFILE;

/// The runtime opens six descriptors and panics when some of them are missing.
fn has_descriptors() -> io::Result<()> {
    let _three_pairs = [UnixStream::pair()?, UnixStream::pair()?, UnixStream::pair()?];
    Ok(())
}
