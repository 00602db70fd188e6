//! A gzip file that is assembled from parts compressed in advance (RFC 1952).

/// Compresses nothing itself. Between DEFLATE blocks that were made when the program was built, plain text is put
/// into stored blocks (RFC 1951, section 3.2.4).
pub(crate) struct GzipWriter {
    bytes: Vec<u8>,
    /// Text for the next stored block.
    waiting: String,
    trailer: Trailer,
}

impl GzipWriter {
    pub(crate) fn new() -> Self {
        const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
        let mut bytes = Vec::with_capacity(4096);
        bytes.extend(HEAD);
        Self { bytes, waiting: String::new(), trailer: Trailer::new() }
    }

    /// Appends plain text.
    pub(crate) fn push(&mut self, plain: &str) {
        self.waiting.push_str(plain);
        self.trailer.add(plain.as_bytes());
    }

    /// Appends text as complete blocks that refer to nothing before them.
    pub(crate) fn push_deflated(&mut self, plain: &str, deflated: &[u8]) {
        self.store();
        self.bytes.extend(deflated);
        self.trailer.add(plain.as_bytes());
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        /// An empty final block.
        const LAST: [u8; 2] = [3, 0];
        self.store();
        self.bytes.extend(LAST);
        self.bytes.extend((!self.trailer.crc).to_le_bytes());
        self.bytes.extend(self.trailer.length.to_le_bytes());
        self.bytes
    }

    fn store(&mut self) {
        for chunk in self.waiting.as_bytes().chunks(u16::MAX.into()) {
            let length = u16::try_from(chunk.len()).unwrap_or(u16::MAX);
            self.bytes.push(0);
            self.bytes.extend(length.to_le_bytes());
            self.bytes.extend((!length).to_le_bytes());
            self.bytes.extend(chunk);
        }
        self.waiting.clear();
    }
}

/// The trailer of a gzip file: its checksum, inverted here (RFC 1952, section 8), and its length.
struct Trailer {
    crc: u32,
    length: u32,
}

impl Trailer {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0_u32;
        while byte < 256 {
            let mut rest = byte;
            let mut bit = 0;
            while bit < 8 {
                rest = if rest & 1 == 1 { rest >> 1 ^ 0xedb8_8320 } else { rest >> 1 };
                bit += 1;
            }
            table[byte as usize] = rest;
            byte += 1;
        }
        table
    };

    fn new() -> Self {
        Self { crc: !0, length: 0 }
    }

    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let [low, ..] = self.crc.to_le_bytes();
            self.crc = self.crc >> 8 ^ Self::TABLE[usize::from(low ^ byte)];
            self.length = self.length.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn text_as_it_is_and_text_in_blocks_come_out_in_order() {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all("deflated ".repeat(20).as_bytes()).unwrap();
        encoder.flush().unwrap();
        let mut file = GzipWriter::new();
        file.push("first ");
        file.push("second ");
        file.push_deflated(&"deflated ".repeat(20), encoder.get_ref());
        file.push("last");
        let mut unpacked = String::new();
        // It checks the length and the checksum.
        flate2::read::GzDecoder::new(&*file.finish()).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, format!("first second {}last", "deflated ".repeat(20)));
    }

    #[test]
    fn text_that_is_longer_than_a_block_is_stored_in_several() {
        let long = "0123456789".repeat(20_000);
        let mut file = GzipWriter::new();
        file.push(&long);
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&*file.finish()).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, long);
    }
}
