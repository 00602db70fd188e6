//! The only file with unsafe code: two functions of the C library, and a counter of the processor, that have no safe
//! wrapper.

/// The kernel's status of its clock.
#[derive(Debug)]
pub(crate) struct KernelClock {
    pub(crate) is_synchronized: bool,
    /// The kernel's bound on the error, in microseconds.
    pub(crate) max_error_micros: i64,
}

/// Calls `ntp_adjtime` in its read-only mode, which needs no privilege. `None` if the call fails.
#[expect(unsafe_code, reason = "neither the standard library nor rustix has ntp_adjtime")]
pub(crate) fn kernel_clock() -> Option<KernelClock> {
    // SAFETY: all-zero bytes are a valid `timex`, which is a struct of integers, and `modes` 0 makes the call
    // read-only. The pointer is to a live, exclusively borrowed value.
    let (state, timex) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::ntp_adjtime(&raw mut timex), timex)
    };
    (state != -1).then_some(KernelClock {
        is_synchronized: state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0,
        max_error_micros: timex.maxerror,
    })
}

/// Returns freed memory to the system.
///
/// Call it after much was freed, such as the buffers of idle connections. The allocator keeps freed memory for the
/// program, and returns only what is at the end of the heap; this returns every whole page.
#[cfg_attr(
    target_env = "gnu",
    expect(unsafe_code, reason = "neither the standard library nor rustix has malloc_trim")
)]
pub(crate) fn release_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the function has no preconditions, and does not touch memory that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The processor's counter: ticks at a constant rate since about the start of the machine. `None` where there is none
/// that programs may read. Nothing before or after is moved across the read.
#[cfg_attr(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    expect(unsafe_code, reason = "the standard library has no safe way to it")
)]
pub(crate) fn timestamp_counter() -> Option<u64> {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every processor of this architecture has these instructions, and they touch no memory.
    let ticks = unsafe {
        std::arch::x86_64::_mm_lfence();
        let ticks = std::arch::x86_64::_rdtsc();
        std::arch::x86_64::_mm_lfence();
        Some(ticks)
    };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: Linux lets every program read this register, and the instructions touch no memory.
    let ticks = unsafe {
        let ticks: u64;
        std::arch::asm!("isb", "mrs {}, cntvct_el0", "isb", out(reg) ticks, options(nostack));
        Some(ticks)
    };
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let ticks = None;
    ticks
}
