//! The end of a program that cannot go on: a monitoring system that started it still gets a line and the exit code 3.
//!
//! Two ways lead here. A panic is told by the panic hook, with its reason. An abort (no memory, a library that gives up, a
//! mistake in the panic hook) raises SIGABRT, whose handler writes a line that was prepared.
//!
//! One known crash is prevented: a static binary loads no module of the system's resolver.

use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::diagnostics::Diagnostics;

/// Where the handler writes. Until the command line is read, as a plugin: that is seen by everybody.
static IS_PLUGIN: AtomicBool = AtomicBool::new(true);

/// From now on a panic ends the program with a line and the exit code 3, on whichever thread it happens, also where
/// panics abort.
pub(crate) fn report_panics(diagnostics: Diagnostics) {
    IS_PLUGIN.store(diagnostics.is_plugin(), Ordering::Relaxed);
    panic::set_hook(Box::new(move |panic| {
        let code = diagnostics.unknown(&sentence(panic));
        std::process::exit(code.into());
    }));
}

fn sentence(panic: &PanicHookInfo<'_>) -> String {
    let why = panic.payload_as_str().unwrap_or("for an unknown reason");
    let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
    let place = panic.location().map_or_else(String::new, |place| {
        let file = place.file().rsplit('/').next().unwrap_or_default();
        format!(" ({file}:{})", place.line())
    });
    format!("nowcheck stopped: {why}{place}; the state of the service is unknown")
}

#[cfg(not(test))]
mod signals {
    #![expect(unsafe_code, reason = "the standard library does not let signals be handled")]

    use std::mem;
    use std::ptr;
    use std::sync::atomic::Ordering;

    use super::IS_PLUGIN;

    const FOR_PEOPLE: &str = "nowcheck: UNKNOWN: nowcheck was stopped: out of memory, or this machine rejects a \
        system call that it needs; the state of the service is unknown\n";
    const FOR_PLUGINS: &str = "NOWCHECK UNKNOWN - nowcheck was stopped: out of memory, or this machine rejects \
        a system call that it needs; the state of the service is unknown\n";

    /// Called by the C library before the Rust runtime, which aborts itself when the system calls of its start are
    /// refused.
    // SAFETY: the C library calls what stands in this section as functions without a result. The arguments that it
    // passes may be ignored in the C calling convention. The function uses nothing that the Rust runtime prepares.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static BEFORE_MAIN: extern "C" fn() = before_main;

    extern "C" fn before_main() {
        let ends = last_line as extern "C" fn(libc::c_int) as libc::sighandler_t;
        // Output to a file beyond the limit of a user (`ulimit -f`) is an error then, as on a full disk.
        let handled = handle(libc::SIGXFSZ, libc::SIG_IGN) && handle(libc::SIGABRT, ends);
        // The limit on processor time (`ulimit -t`); nothing is lost if it cannot be handled.
        handle(libc::SIGXCPU, ends);
        if !handled {
            last_line(libc::SIGABRT);
        }
        #[cfg(all(target_feature = "crt-static", target_env = "gnu"))]
        load_no_resolver();
    }

    /// A static binary has `files` and `dns` of /etc/nsswitch.conf in it. The C library would load every other module
    /// together with a second C library, and crash in some of them (`myhostname`, with glibc 2.36).
    #[cfg(all(target_feature = "crt-static", target_env = "gnu"))]
    fn load_no_resolver() {
        unsafe extern "C" {
            /// nss.h of glibc.
            fn __nss_configure_lookup(
                database: *const libc::c_char,
                services: *const libc::c_char,
            ) -> libc::c_int;
        }
        // SAFETY: both texts end with a zero and live for ever; no other thread runs yet. If it fails, the modules of the
        // machine stay as they are.
        unsafe {
            __nss_configure_lookup(c"hosts".as_ptr(), c"files dns".as_ptr());
        }
    }

    fn handle(signal: libc::c_int, handler: libc::sighandler_t) -> bool {
        // SAFETY: all-zero bytes are a valid `sigaction`; the pointers are to a live value or null, which is allowed; the
        // handler is SIG_IGN or a function that calls only what may be called by a signal handler (signal-safety(7)).
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = handler;
            libc::sigaction(signal, &raw const action, ptr::null_mut()) == 0
        }
    }

    extern "C" fn last_line(_: libc::c_int) {
        let is_plugin = IS_PLUGIN.load(Ordering::Relaxed);
        let (to, line) =
            if is_plugin { (libc::STDOUT_FILENO, FOR_PLUGINS) } else { (libc::STDERR_FILENO, FOR_PEOPLE) };
        // SAFETY: the bytes are live and as many as is said; both calls may be made by a signal handler.
        unsafe {
            libc::write(to, line.as_ptr().cast(), line.len());
            libc::_exit(3);
        }
    }
}
