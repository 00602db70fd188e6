//! Numbers in a unit that is not read here: which one is meant, by what brings the number near to now.
//!
//! They are named and not read: a number says nothing about its unit, and a wrong guess would be a wrong
//! verdict.

use clock_offset::UnixInstant;

use super::civil::looks_basic;
use super::{DAY, Decimal, FARTHEST, MINUTE, NEAR_NOW, SECOND};

/// A way to count time: `per` · value nanoseconds since `epoch`, in seconds since 1970.
struct Unit {
    name: &'static str,
    epoch: i128,
    per: i128,
}

const fn unit(name: &'static str, epoch: i128, per: i128) -> Unit {
    Unit { name, epoch, per }
}

const YEAR_1: i128 = -62_135_596_800;
const YEAR_1582: i128 = -12_219_292_800;
const YEAR_1601: i128 = -11_644_473_600;
const YEAR_1858: i128 = -3_506_716_800;
const YEAR_1899: i128 = -2_209_161_600;
const YEAR_1900: i128 = -2_208_988_800;
const YEAR_1904: i128 = -2_082_844_800;
/// Without the 18 leap seconds since then, which GPS does not count.
const GPS: i128 = 315_964_800 - 18;
const YEAR_2000: i128 = 946_684_800;
const YEAR_2001: i128 = 978_307_200;

const UNITS: [Unit; 28] = [
    // Microsoft, “FILETIME structure”; elastic/elasticsearch#43188.
    unit("a Windows FILETIME (100 ns since 1601)", YEAR_1601, 100),
    // Microsoft, “DateTime.Ticks”.
    unit(".NET ticks (100 ns since the year 1)", YEAR_1, 100),
    // Chromium, base/time/time.h; RyanDFIR/unfurl#130.
    unit("microseconds since 1601 (WebKit, Chrome)", YEAR_1601, 1_000),
    unit("milliseconds since 1601", YEAR_1601, 1_000_000),
    unit("seconds since 1601", YEAR_1601, SECOND),
    // RFC 868 and RFC 5905 section 6.
    unit("seconds since 1900 (NTP, RFC 868)", YEAR_1900, SECOND),
    unit("milliseconds since 1900", YEAR_1900, 1_000_000),
    // Apple, “HFS Plus Volume Format”; LabVIEW counts the same.
    unit("seconds since 1904 (classic Mac OS, LabVIEW)", YEAR_1904, SECOND),
    // Apple, “timeIntervalSinceReferenceDate”.
    unit("seconds since 2001 (Cocoa)", YEAR_2001, SECOND),
    unit("milliseconds since 2001", YEAR_2001, 1_000_000),
    unit("nanoseconds since 2001 (Core Data)", YEAR_2001, 1),
    // IS-GPS-200, section 3.3.4.
    unit("seconds since 1980 (GPS)", GPS, SECOND),
    unit("milliseconds since 1980 (GPS)", GPS, 1_000_000),
    // PostgreSQL, src/include/datatype/timestamp.h.
    unit("seconds since 2000", YEAR_2000, SECOND),
    unit("milliseconds since 2000", YEAR_2000, 1_000_000),
    unit("microseconds since 2000 (PostgreSQL)", YEAR_2000, 1_000),
    // RFC 9562 section 5.1.
    unit("100 ns since 1582 (UUID version 1)", YEAR_1582, 100),
    unit("100 ns since 1858 (OpenVMS)", YEAR_1858, 100),
    unit("100 ns since 1970", 0, 100),
    unit("hundredths of a second since 1970", 0, SECOND / 100),
    unit("tenths of a second since 1970", 0, SECOND / 10),
    unit("minutes since 1970", 0, MINUTE),
    unit("hours since 1970", 0, 60 * MINUTE),
    unit("days since 1970", 0, DAY),
    // Microsoft, “DateTime.ToOADate”; Excel.
    unit("days since 1899-12-30 (OLE Automation, Excel)", YEAR_1899, DAY),
    unit("a Modified Julian Date", YEAR_1858, DAY),
    unit("a Julian Date", -210_866_760_000, DAY),
    // MathWorks, “datenum”.
    unit("days since the year 0 (MATLAB)", -719_529 * 86_400, DAY),
];

/// The unit, not known to [`Format`](super::Format), that puts a number near now.
pub(super) fn likeliest(text: &str, number: &Decimal, now: UnixInstant) -> Option<&'static str> {
    let is_near = |nanos: i128| (nanos - now.as_nanos()).abs() <= NEAR_NOW;
    let in_unit = |unit: &&Unit| {
        let nanos =
            number.scaled(unit.per).filter(|nanos| nanos.unsigned_abs() < 2 * FARTHEST.unsigned_abs());
        nanos.is_some_and(|nanos| is_near(nanos + unit.epoch * SECOND))
    };
    if let Some(found) = UNITS.iter().find(in_unit) {
        return Some(found.name);
    }
    if looks_basic(text) {
        return Some("a date in digits (YYYYMMDDHHMMSS)");
    }
    let whole = number.scaled(1)?;
    // RFC 5905 section 6: 32 bits of seconds and 32 bits of their fraction.
    if is_near((whole >> 32) * SECOND + YEAR_1900 * SECOND) {
        return Some("an NTP timestamp of 64 bits (2^-32 s since 1900)");
    }
    // Microsoft, “DateTime.ToBinary”: the two upper bits are the kind.
    let ticks = whole & 0x3FFF_FFFF_FFFF_FFFF;
    if ticks != whole && is_near(ticks * 100 + YEAR_1 * SECOND) {
        return Some(".NET's DateTime.ToBinary (100 ns since the year 1, with two bits more)");
    }
    in_digits(text, now)
}

/// A date and a time as the digits of a number, without its century or its seconds.
fn in_digits(text: &str, now: UnixInstant) -> Option<&'static str> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let day = |date: &str| {
        let part = |from, to| date.get(from..to)?.parse::<i128>().ok();
        super::civil::day_of_date(part(0, 4)?, part(4, 6)?, part(6, 8)?)
    };
    let is_near = |date: &str| day(date).is_some_and(|day| (day * DAY - now.as_nanos()).abs() <= 2 * DAY);
    match text.len() {
        8 if is_near(text) => Some("a date in digits (YYYYMMDD)"),
        12 if is_near(&text[..8]) => Some("a date in digits (YYYYMMDDHHMM)"),
        12 if is_near(&format!("20{}", &text[..6])) => Some("a date in digits (YYMMDDHHMMSS)"),
        14 if is_near(&format!("{}{}{}", &text[4..8], &text[2..4], &text[..2])) => {
            Some("a date in digits (DDMMYYYYHHMMSS)")
        }
        14 if is_near(&format!("{}{}", &text[4..8], &text[..4])) => Some("a date in digits (MMDDYYYYHHMMSS)"),
        _ => None,
    }
}
