use proptest::prelude::*;

use super::super::block::tests::round;
use super::*;

fn summary() -> impl Strategy<Value = Summary> {
    let times = prop::array::uniform4(prop_oneof![Just(0), 0..86_400_000_u64]);
    (prop::collection::vec(round(), 0..20), times).prop_map(|(rounds, times)| {
        let mut summary = Summary::default();
        for round in &rounds {
            summary.add(round);
        }
        for (kind, time) in KINDS.into_iter().zip(times) {
            summary.times.count(kind, Duration::from_millis(time));
        }
        summary
    })
}

proptest! {
    #[test]
    fn summaries_are_read_as_they_were_written(
        chunk in prop::collection::btree_map(0..1_000_u64, summary(), 0..6),
    ) {
        prop_assert_eq!(decode(&encode(&chunk)), Ok(chunk));
    }

    #[test]
    fn a_chunk_that_is_cut_off_or_changed_is_no_panic(
        chunk in prop::collection::btree_map(0..60_u64, summary(), 0..3),
        at: prop::sample::Index,
        flip: u8,
    ) {
        let mut bytes = encode(&chunk);
        let at = at.index(bytes.len());
        prop_assert_eq!(decode(&bytes[..at]), Err(Malformed));
        bytes[at] ^= flip;
        let _ = decode(&bytes);
    }
}
