//! One question to one time server, by NTP: how it is asked, which answer counts, and what that proves.
//!
//! One probe is one request: it ends with the first packet that answers it, and at the deadline. What does not answer
//! it is not listened to, so neither somebody who guesses nor a duplicate of an older answer can do harm; somebody
//! who sees the request can, as NTP without NTS has no protection from that. Then several references help.

pub mod packet;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clock_offset::{BoundedTime, Drift, MonotonicInstant, exchange_bounds};
use tokio::net::UdpSocket;
use tokio::time::timeout_at;

use self::packet::{Header, LENGTH};
use crate::clock::Clock;
use crate::outcome::{Leap, NtpError};
use crate::text::printable;

/// What a time server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NtpAnswer {
    /// Bounds on the true time at `received`, if the server's word on its own clock is true.
    pub bounds: BoundedTime,
    /// Before the request was handed to the network.
    pub sent: MonotonicInstant,
    /// After the answer came.
    pub received: MonotonicInstant,
    /// How many servers away the source of the time is: 1 (it is in this server) to 15.
    pub stratum: u8,
    /// Whether a leap second is near.
    pub leap: Leap,
    /// Where the server has the time from: at stratum 1 up to four letters, else the IPv4 address of its own server or
    /// the begin of a hash of its IPv6 address.
    pub reference_id: [u8; 4],
    /// The round trip from the server to the source of the time.
    pub root_delay: Duration,
    /// The error that its clock has gathered on that way, at most.
    pub root_dispersion: Duration,
    /// Whether the answer shows that leap seconds are smeared there. That it does not is no proof: see
    /// [`known_to_smear`].
    pub smears: bool,
}

/// Asks a time server once.
///
/// # Errors
/// When no answer came until the deadline, or one that is of no use.
pub async fn ask(
    server: SocketAddr,
    clock: Clock,
    deadline: MonotonicInstant,
) -> Result<NtpAnswer, NtpError> {
    let mut strays = 0;
    match timeout_at(clock.deadline(deadline), exchange(server, clock, &mut strays)).await {
        Ok(outcome) => outcome,
        Err(_) if strays > 0 => Err(NtpError::OnlyStrays { count: strays }),
        Err(_) => Err(NtpError::Silent),
    }
}

/// Sends the request and waits for its answer; counts what came instead.
///
/// Both instants are read in this process, next to the system calls. The kernel could stamp packets nearer to the
/// wire (`SO_TIMESTAMPING`), but by the wall clock, which is in question and may be stepped meanwhile; all that is to
/// be had are the microseconds until this task gets its turn, and they make the bounds wider, never false.
async fn exchange(server: SocketAddr, clock: Clock, strays: &mut u32) -> Result<NtpAnswer, NtpError> {
    let nonce = random().map_err(|error| NtpError::Local { why: error.to_string() })?;
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // The system picks a port at random, which is one more number that has to be guessed (RFC 9109).
    let socket = UdpSocket::bind((any, 0)).await.map_err(explain)?;
    // From here on only packets of that address are let in, and it is heard when nothing listens there. What came in
    // between cannot know the number.
    socket.connect(server).await.map_err(explain)?;
    let request = packet::request(nonce);
    let sent = loop {
        socket.writable().await.map_err(explain)?;
        let now = clock.now();
        match socket.try_send(&request) {
            Ok(_) => break now,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(explain(error)),
        }
    };
    let mut buffer = [0; LENGTH];
    loop {
        let length = socket.recv(&mut buffer).await.map_err(explain)?;
        let received = clock.now();
        match Header::of(&buffer[..length]).filter(|header| header.answers(nonce)) {
            Some(header) => return judge(&header, sent, received),
            None => *strays = strays.saturating_add(1),
        }
    }
}

fn random() -> Result<[u8; 8], getrandom::Error> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn explain(error: io::Error) -> NtpError {
    let why = error.to_string();
    match error.kind() {
        io::ErrorKind::ConnectionRefused => NtpError::Refused,
        io::ErrorKind::HostUnreachable => NtpError::Unreachable { why },
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => NtpError::NoRoute { why },
        _ => NtpError::Local { why },
    }
}

/// What an answer to our request is worth.
fn judge(header: &Header, sent: MonotonicInstant, received: MonotonicInstant) -> Result<NtpAnswer, NtpError> {
    let (stratum, reference_id) = (header.stratum(), header.reference_id());
    // A refusal also says "not synchronized", so it has to be looked for first. A server without a time may say
    // stratum 0 too, but gives no code then.
    if stratum == 0
        && let Some(code) = kiss_code(reference_id)
    {
        return Err(NtpError::KissOfDeath { code });
    }
    let leap = match header.leap_indicator() {
        0 => Leap::None,
        1 => Leap::InsertSecond,
        2 => Leap::DeleteSecond,
        _ => return Err(NtpError::Unsynchronized),
    };
    if !(1..=15).contains(&stratum) {
        return Err(NtpError::Unsynchronized);
    }
    if header.lacks_a_stamp() {
        return Err(NtpError::NoTime);
    }
    let stamps = header.stamps();
    // However far the server says to be from the source of the time, that makes the bounds wide and is no failure.
    let bounds =
        exchange_bounds(sent, received, &stamps, Drift::DISCIPLINED).ok_or(NtpError::Contradiction)?;
    Ok(NtpAnswer {
        bounds,
        sent,
        received,
        stratum,
        leap,
        reference_id,
        root_delay: stamps.root_delay,
        root_dispersion: stamps.root_dispersion,
        smears: shows_smearing(stratum, reference_id),
    })
}

/// The code of a refusal, filled up with zeros to four bytes; nothing when there are only zeros.
fn kiss_code(reference_id: [u8; 4]) -> Option<String> {
    let length = reference_id.iter().rposition(|&byte| byte != 0)? + 1;
    Some(printable(&reference_id[..length], length))
}

/// Whether a server's reference says that the time there is smeared around a leap second.
///
/// 254.x.y.z is what ntpd says while it smears, with the offset in the last three bytes (draft-stenn-ntp-leap-smear-refid);
/// one in 256 of the servers that have the time over IPv6 says it by chance, as the begin of a hash. 127.127.1.255 is
/// what chronyd says with `smoothtime` (`NTP_REFID_SMOOTH`). GOOG are Google's servers, and who has the time from
/// 169.254.169.123 has it from Amazon's; both smear, see [`known_to_smear`].
fn shows_smearing(stratum: u8, reference_id: [u8; 4]) -> bool {
    match reference_id {
        [254, ..] | [127, 127, 1, 255] => true,
        [b'G', b'O', b'O', b'G'] => stratum == 1,
        [169, 254, 169, 123] => stratum > 1,
        _ => false,
    }
}

/// Whether the operator of that time server publishes that it smears leap seconds. It then differs from the others by
/// up to half a second, for about a day.
///
/// * Google Public NTP: <https://developers.google.com/time/faq>, <https://developers.google.com/time/smear>
/// * Amazon Time Sync Service, public and local:
///   <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/set-time.html>
/// * Meta: <https://engineering.fb.com/2020/03/18/production-engineering/ntp-service/>
///
/// Cloudflare (<https://developers.cloudflare.com/time-services/ntp/>) publishes that it does not, and that the servers
/// of pool.ntp.org do not either.
#[must_use]
pub fn known_to_smear(host: &str) -> bool {
    const AMAZON_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 123);
    const AMAZON_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x123);
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
    match bare.parse() {
        Ok(IpAddr::V4(address)) => address == AMAZON_V4,
        Ok(IpAddr::V6(address)) => address == AMAZON_V6,
        Err(_) => matches!(
            bare,
            "time.google.com"
                | "time1.google.com"
                | "time2.google.com"
                | "time3.google.com"
                | "time4.google.com"
                | "time.aws.com"
                | "time.facebook.com"
                | "time1.facebook.com"
                | "time2.facebook.com"
                | "time3.facebook.com"
                | "time4.facebook.com"
                | "time5.facebook.com"
        ),
    }
}

#[cfg(test)]
mod tests;
