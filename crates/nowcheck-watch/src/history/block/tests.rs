use proptest::prelude::*;

use super::*;
use crate::incident::OffsetBounds;
use crate::status::CheckStatus;

fn bounds() -> impl Strategy<Value = OffsetBounds> {
    let lower = prop_oneof![-5_000_i128..5_000, -1 << 50..1_i128 << 50];
    (lower, 0_i128..1 << 40)
        .prop_map(|(lower, width)| OffsetBounds { lower: lower * 1_000, upper: (lower + width) * 1_000 })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just("in_sync".to_owned()), Just(String::new()), ".{0,12}"]
}

/// Any round, in the units of the file.
pub(in crate::history) fn round() -> impl Strategy<Value = RoundRecord> {
    let backend = (text(), bounds()).prop_map(|(instance, offset)| BackendOffset { instance, offset });
    let when = (0..=super::super::units::LAST_MILLISECOND, 0..100_000_000_u64, 0..10_000_000_u64);
    let what = (prop::sample::select(CheckStatus::ALL.to_vec()), text(), prop::option::of(text()));
    let measured =
        (prop::option::of(bounds()), prop::option::of(0..u64::MAX / 2), prop::option::of(0..1_i64 << 33));
    (when, what, measured, prop::collection::vec(backend, 0..3)).prop_map(
        |(when, what, measured, backends)| RoundRecord {
            check: "shop".to_owned(),
            start: timestamp(when.0),
            duration: Duration::from_micros(when.1),
            status: what.0,
            reason: what.1,
            offset: measured.0,
            round_trip: measured.1.map(Duration::from_micros),
            cause: what.2,
            backends,
            certificate_expiry: measured.2.map(|second| Timestamp::from_second(second).unwrap()),
            stands_for: Duration::from_millis(when.2),
        },
    )
}

proptest! {
    #[test]
    fn rounds_are_read_as_they_were_written(rounds in prop::collection::vec(round(), 0..8)) {
        prop_assert_eq!(decode("shop", &encode(&rounds)), Ok(rounds));
    }

    #[test]
    fn a_block_that_is_cut_off_or_changed_is_no_panic(
        rounds in prop::collection::vec(round(), 0..4), at: prop::sample::Index, flip: u8,
    ) {
        let mut bytes = encode(&rounds);
        let at = at.index(bytes.len());
        prop_assert_eq!(decode("shop", &bytes[..at]), Err(Malformed));
        bytes[at] ^= flip;
        let _ = decode("shop", &bytes);
    }
}

#[test]
fn a_round_of_a_regular_pace_takes_less_than_twenty_bytes() {
    let rounds: Vec<_> = (0..120)
        .map(|nth| RoundRecord {
            check: "shop".to_owned(),
            start: timestamp(1_795_521_600_000 + nth * 30_000 + nth % 3),
            duration: Duration::from_micros(2_345),
            status: CheckStatus::Ok,
            reason: "in_sync".to_owned(),
            offset: Some(OffsetBounds { lower: -1_234_000, upper: 1_345_000 }),
            round_trip: Some(Duration::from_micros(734)),
            cause: None,
            backends: vec![BackendOffset {
                instance: "3f9c2a7d".to_owned(),
                offset: OffsetBounds { lower: -1_234_000, upper: 1_345_000 },
            }],
            certificate_expiry: None,
            stands_for: Duration::from_secs(45),
        })
        .collect();
    let bytes = encode(&rounds).len();
    assert!(bytes < 20 * rounds.len(), "{bytes} bytes");
}
