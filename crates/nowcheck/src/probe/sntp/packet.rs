//! The 48 bytes of an NTP header (RFC 5905 section 7.3): the request, and what an answer says.
//!
//! Read here and not by a library, because none of those looked at gives what bounds are made of. sntpc 0.11 tells
//! neither T2 nor T3, and rsntp 4.1 only an offset and a delay in floating point, worked out with the wall clock that
//! is in question; ntp-proto 1.9 is the inside of a daemon, with an interface for that daemon alone and a TLS of its
//! own; ntp-parser 0.6 tells all fields, but needs a parser generator, and refuses an answer for what comes behind
//! the header.

use std::time::Duration;

use clock_offset::{ServerTimestamps, UnixInstant};

/// The length of a header; what may come behind it (extensions, a signature) was not asked for.
pub const LENGTH: usize = 48;

const NANOS_PER_SECOND: u64 = 1_000_000_000;
/// From NTP's first era (1900) to the Unix epoch (1970), in seconds.
const ERA_TO_UNIX: i128 = 2_208_988_800;
const SECONDS_PER_ERA: i128 = 1 << 32;

/// A request: version 4, mode 3 (client), and nothing else but a number that the answer has to repeat.
///
/// It stands in the place of the time at which the request is sent, and servers do not look at it: all that they do
/// is to copy it (RFC 4330 section 5 lets a client leave the rest at zero). A random one tells nothing about our
/// clock, and nobody who does not see the request can make an answer to it.
#[must_use]
pub fn request(nonce: [u8; 8]) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[0] = 4 << 3 | 3;
    bytes[40..].copy_from_slice(&nonce);
    bytes
}

/// A header that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header([u8; LENGTH]);

impl Header {
    /// The header at the begin of a packet; nothing when it is too short for one.
    #[must_use]
    pub fn of(packet: &[u8]) -> Option<Self> {
        packet.first_chunk().copied().map(Self)
    }

    /// Whether it is a server's answer (mode 4) in version 3 or 4 to the request with that number.
    #[must_use]
    pub fn answers(&self, nonce: [u8; 8]) -> bool {
        let (version, mode) = (self.0[0] >> 3 & 7, self.0[0] & 7);
        mode == 4 && matches!(version, 3 | 4) && self.0[24..32] == nonce
    }

    /// 0 to 3: none, a second more, a second less, not synchronized.
    #[must_use]
    pub fn leap_indicator(&self) -> u8 {
        self.0[0] >> 6
    }

    /// How many servers away the source of the time is (RFC 5905 figure 11); 0 in a kiss-o'-death.
    #[must_use]
    pub fn stratum(&self) -> u8 {
        self.0[1]
    }

    /// Where the server has its time from (RFC 5905 figure 12), or the code of a kiss-o'-death.
    #[must_use]
    pub fn reference_id(&self) -> [u8; 4] {
        self.word(12).to_be_bytes()
    }

    /// Whether either stamp is the zero that stands for "no time".
    #[must_use]
    pub fn lacks_a_stamp(&self) -> bool {
        self.long(32) == 0 || self.long(40) == 0
    }

    /// The two timestamps, and how far the server vouches for its clock.
    #[must_use]
    pub fn stamps(&self) -> ServerTimestamps {
        ServerTimestamps {
            receive: instant(self.long(32)),
            transmit: instant(self.long(40)),
            root_delay: short(self.word(4)),
            root_dispersion: short(self.word(8)),
            precision: precision(self.0[3].cast_signed()),
        }
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_be_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    fn long(&self, at: usize) -> u64 {
        u64::from(self.word(at)) << 32 | u64::from(self.word(at + 4))
    }
}

/// A time stamp: seconds since 1900 and a binary fraction, truncated to nanoseconds. The seconds overflow in 2036; so
/// those with the highest bit set are of 1968 to 2036, and the others of 2036 to 2104 (RFC 4330 section 3).
fn instant(stamp: u64) -> UnixInstant {
    let (seconds, fraction) = (stamp >> 32, stamp & u64::from(u32::MAX));
    let era = if seconds >> 31 == 1 { 0 } else { SECONDS_PER_ERA };
    let seconds = i128::from(seconds) + era - ERA_TO_UNIX;
    // A fraction of 32 bits times 10⁹ fits into 62 bits.
    let nanos = (fraction * NANOS_PER_SECOND) >> 32;
    UnixInstant::from_nanos(seconds * i128::from(NANOS_PER_SECOND) + i128::from(nanos))
}

/// The short format: 16 bits of seconds and 16 of a binary fraction; rounded up, because it is a bound. A root delay
/// below zero, which old servers could send, is read as one of hours: useless, but not false.
fn short(seconds: u32) -> Duration {
    Duration::from_nanos((u64::from(seconds) * NANOS_PER_SECOND).div_ceil(1 << 16))
}

/// The precision is the binary logarithm of a number of seconds; rounded up. Together with the nanosecond by which a
/// stamp was truncated it is how far a stamp may be from what the clock showed.
fn precision(log2_seconds: i8) -> Duration {
    let power = 1_u64.checked_shl(u32::from(log2_seconds.unsigned_abs()));
    let precision = match (log2_seconds < 0, power) {
        (true, Some(parts)) => Duration::from_nanos(NANOS_PER_SECOND.div_ceil(parts)),
        (true, None) => Duration::from_nanos(1),
        (false, Some(seconds)) => Duration::from_secs(seconds),
        (false, None) => Duration::MAX,
    };
    precision.saturating_add(Duration::from_nanos(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_stamp_is_read_on_both_sides_of_the_rollover_of_2036() {
        let seconds = |stamp: u64| instant(stamp).as_nanos() / 1_000_000_000;
        // 1968-01-20T03:14:08Z, the first that can be read, and 2104-02-26T09:42:23Z, the last.
        assert_eq!(seconds(0x8000_0000 << 32), -61_505_152);
        assert_eq!(seconds(0x7fff_ffff << 32), 4_233_462_143);
        // 1970-01-01T00:00:00Z and 2026-11-23T20:11:51Z.
        assert_eq!(seconds(2_208_988_800 << 32), 0);
        assert_eq!(seconds((2_208_988_800 + 1_795_464_711) << 32), 1_795_464_711);
        // The last instant before 2036-02-07T06:28:16Z, and the first after it that is not "no time".
        assert_eq!(instant(u64::MAX).as_nanos(), 2_085_978_495_999_999_999);
        assert_eq!(instant(1).as_nanos(), 2_085_978_496_000_000_000);
    }

    #[test]
    fn bounds_in_the_short_format_are_rounded_up() {
        assert_eq!(short(0), Duration::ZERO);
        assert_eq!(short(1), Duration::from_nanos(15_259));
        assert_eq!(short(0x0001_8000), Duration::from_millis(1_500));
        assert_eq!(short(u32::MAX), Duration::new(65_535, 999_984_742));
    }

    #[test]
    fn a_precision_is_rounded_up_and_never_overflows() {
        let nanosecond = Duration::from_nanos(1);
        assert_eq!(precision(0), Duration::from_secs(1) + nanosecond);
        assert_eq!(precision(-1), Duration::from_millis(500) + nanosecond);
        assert_eq!(precision(-20), Duration::from_nanos(954) + nanosecond);
        assert_eq!(precision(-32), nanosecond + nanosecond);
        assert_eq!(precision(i8::MIN), nanosecond + nanosecond);
        assert_eq!(precision(3), Duration::from_secs(8) + nanosecond);
        assert_eq!(precision(i8::MAX), Duration::MAX);
    }

    #[test]
    fn an_answer_has_the_right_mode_version_and_number() {
        let nonce = *b"12345678";
        let answers = |first: u8, origin: &[u8; 8]| {
            let mut packet = [0; LENGTH];
            packet[0] = first;
            packet[24..32].copy_from_slice(origin);
            Header::of(&packet).unwrap().answers(nonce)
        };
        assert!(answers(4 << 3 | 4, &nonce));
        assert!(answers(3 << 6 | 3 << 3 | 4, &nonce));
        assert!(!answers(4 << 3 | 4, b"12345679"));
        for (version, mode) in [(2, 4), (5, 4), (0, 4), (4, 3), (4, 5), (4, 6), (4, 0)] {
            assert!(!answers(version << 3 | mode, &nonce), "version {version}, mode {mode}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(packet in prop::collection::vec(any::<u8>(), 0..100)) {
            let header = Header::of(&packet);
            prop_assert_eq!(header.is_some(), packet.len() >= LENGTH);
            if let Some(header) = header {
                let stamps = header.stamps();
                prop_assert!(header.leap_indicator() <= 3);
                prop_assert!(stamps.precision >= Duration::from_nanos(2));
                prop_assert_eq!(&header.reference_id(), &packet[12..16]);
                prop_assert!(!header.answers(*b"no luck!"));
            }
        }
    }
}
