//! Gives memory that was freed back to the system.

/// To be called after much was freed, such as the buffers of connections that rest now. The allocator keeps freed
/// memory for the program, and gives back only what lies at the end of it; this gives back every whole page.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "the standard library has no malloc_trim")]
    // SAFETY: the function has no preconditions, and does not touch memory that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}
