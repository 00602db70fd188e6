//! The kernel's status of its clock.

use crate::clock::status::ClockStatus;
use crate::unsafe_calls;

/// The clock's status as the kernel reports it.
pub(crate) fn status() -> ClockStatus {
    match unsafe_calls::kernel_clock() {
        None => ClockStatus::Unknown,
        Some(clock) if !clock.is_synchronized => ClockStatus::Unsynchronized,
        Some(clock) => u32::try_from(clock.max_error_micros)
            .map_or(ClockStatus::Unknown, |max_error_micros| ClockStatus::Synchronized { max_error_micros }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers_without_privilege() {
        assert_ne!(status(), ClockStatus::Unknown);
    }
}
