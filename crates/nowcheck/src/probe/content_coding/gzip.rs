//! gzip (RFC 1952), as curl and browsers read it: of several members, and without the trailer of the last one.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::{Decoded, cut};

/// The first bytes of a member, and the method: deflate.
const MAGIC: &[u8] = &[0x1F, 0x8B, 8];

/// The bytes of a head without its optional parts.
const HEAD: usize = 10;

/// The checksum and the length behind the data.
const TRAILER: usize = 8;

/// The data of all members; none where one of them is broken, or ends before its data do.
pub(super) fn decoded(body: &[u8], most: usize) -> Option<Decoded> {
    let mut data = Vec::new();
    let mut rest = body;
    loop {
        let begin = after_head(rest)?;
        let mut member = Vec::with_capacity(most + 1 - data.len());
        let mut inflate = Decompress::new(false);
        let status = inflate.decompress_vec(begin, &mut member, FlushDecompress::Finish).ok()?;
        if data.len() + member.len() > most {
            data.extend(member);
            return Some(cut(data, most));
        }
        if status != Status::StreamEnd {
            return None;
        }
        let after = &begin[usize::try_from(inflate.total_in()).ok()?..];
        if after.get(..TRAILER).is_some_and(|trailer| !fits(trailer, &member)) {
            return None;
        }
        data.extend(member);
        rest = after.get(TRAILER..).unwrap_or_default();
        // What is no member is padding, which gzip passes over.
        if !rest.starts_with(MAGIC) {
            return Some(cut(data, most));
        }
    }
}

fn fits(trailer: &[u8], data: &[u8]) -> bool {
    let mut checksum = Crc::new();
    checksum.update(data);
    trailer[..4] == checksum.sum().to_le_bytes() && trailer[4..] == checksum.amount().to_le_bytes()
}

/// What follows the head of a member: the optional parts are an extra field, a name, a comment and a checksum, by the bits
/// 2, 3, 4 and 1 of the flags (RFC 1952 section 2.3.1).
fn after_head(member: &[u8]) -> Option<&[u8]> {
    let flags = *member.strip_prefix(MAGIC)?.first()?;
    let mut rest = member.get(HEAD..)?;
    if flags & 1 << 2 != 0 {
        let length = u16::from_le_bytes([*rest.first()?, *rest.get(1)?]);
        rest = rest.get(2 + usize::from(length)..)?;
    }
    for bit in [3, 4] {
        if flags & 1 << bit != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & 1 << 1 != 0 {
        rest = rest.get(2..)?;
    }
    Some(rest)
}
