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

/// What a number looks like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Likeliest {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// What can be done with such a number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// It is a time, and in no unit that is read.
    Unit,
    /// It is a time, and this pattern reads it.
    Digits(&'static str),
    /// It is no time, or not a whole one.
    NoTime,
}

/// The unit, not known to [`Format`](super::Format), that puts a number near now.
pub(super) fn likeliest(text: &str, number: &Decimal, now: UnixInstant) -> Option<Likeliest> {
    let unit = in_unit(text, number, now).map(|name| Likeliest { name, kind: Kind::Unit });
    let whole = number.scaled(1)?;
    let no_time = |name| Likeliest { name, kind: Kind::NoTime };
    unit.or_else(|| snowflake(whole, now).map(no_time))
        .or_else(|| in_digits(text, now))
        .or_else(|| time_in_digits(text, now).map(no_time))
}

/// The name of a unit that puts it there.
fn in_unit(text: &str, number: &Decimal, now: UnixInstant) -> Option<&'static str> {
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
    (ticks != whole && is_near(ticks * 100 + YEAR_1 * SECOND))
        .then_some(".NET's DateTime.ToBinary (100 ns since the year 1, with two bits more)")
}

/// Ids that begin with milliseconds: since when, and above how many other bits.
const SNOWFLAKES: [(&str, i128, u32); 4] = [
    // twitter-archive/snowflake, IdWorker.scala.
    ("a snowflake id (X, Twitter), and no time", 1_288_834_974_657, 22),
    // Discord, “API Reference”, section Snowflakes.
    ("a snowflake id (Discord), and no time", 1_420_070_400_000, 22),
    // Instagram, “Sharding & IDs at Instagram”.
    ("an id as Instagram makes it, and no time", 1_314_220_021_721, 23),
    // mastodon/mastodon, lib/mastodon/snowflake.rb.
    ("a snowflake id (Mastodon), and no time", 0, 16),
];

fn snowflake(number: i128, now: UnixInstant) -> Option<&'static str> {
    const MILLI: i128 = SECOND / 1_000;
    let is_near = |(_, epoch, bits): &&(&str, i128, u32)| {
        (((number >> bits) + epoch) * MILLI - now.as_nanos()).abs() <= NEAR_NOW
    };
    (number > 1 << 48).then(|| SNOWFLAKES.iter().find(is_near)).flatten().map(|(name, ..)| *name)
}

/// A time of day as the digits of a number, in any zone, without its leading zeros.
fn time_in_digits(text: &str, now: UnixInstant) -> Option<&'static str> {
    const QUARTER: i128 = 15 * MINUTE;
    /// Many an uptime looks like some time of day. Few look like this one.
    const CLOSE: i128 = 10 * SECOND;
    /// In the first hour of a day, when only minutes and seconds are left, more uptimes do.
    const CLOSER: i128 = 2 * SECOND;
    let (millis, close) = match text.len() {
        3 | 4 => (false, CLOSER),
        5 | 6 => (false, CLOSE),
        7 => (true, CLOSER),
        8 | 9 => (true, CLOSE),
        _ => return None,
    };
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i128 = text.parse().ok()?;
    let number = if millis { number / 1_000 } else { number };
    let (hour, minute, second) = (number / 10_000, number / 100 % 100, number % 100);
    let shown = minute * MINUTE + second * SECOND;
    let behind = (shown - now.as_nanos()).rem_euclid(QUARTER);
    let is_now = hour < 24 && minute < 60 && second < 60 && behind.min(QUARTER - behind) <= close;
    is_now.then_some(if millis {
        "a time of day in digits (HHMMSSmmm), without a date"
    } else {
        "a time of day in digits (HHMMSS), without a date"
    })
}

/// A date and a time as the digits of a number, without its century or its seconds.
fn in_digits(text: &str, now: UnixInstant) -> Option<Likeliest> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let day = |date: &str| {
        let part = |from, to| date.get(from..to)?.parse::<i128>().ok();
        super::civil::day_of_date(part(0, 4)?, part(4, 6)?, part(6, 8)?)
    };
    let is_near = |date: &str| day(date).is_some_and(|day| (day * DAY - now.as_nanos()).abs() <= 2 * DAY);
    let digits = |name, pattern| Some(Likeliest { name, kind: Kind::Digits(pattern) });
    match text.len() {
        8 if is_near(text) => digits("a date in digits (YYYYMMDD)", "%Y%m%d"),
        12 if is_near(&text[..8]) => digits("a date in digits (YYYYMMDDHHMM)", "%Y%m%d%H%M"),
        12 if is_near(&format!("20{}", &text[..6])) => {
            digits("a date in digits (YYMMDDHHMMSS)", "%y%m%d%H%M%S")
        }
        14 if is_near(&format!("{}{}{}", &text[4..8], &text[2..4], &text[..2])) => {
            digits("a date in digits (DDMMYYYYHHMMSS)", "%d%m%Y%H%M%S")
        }
        14 if is_near(&format!("{}{}", &text[4..8], &text[..4])) => {
            digits("a date in digits (MMDDYYYYHHMMSS)", "%m%d%Y%H%M%S")
        }
        _ => None,
    }
}
