//! One attempt to ask one address: resolve, connect, TLS, request, answer. No retries, no verdicts.

pub mod address_overrides;
pub mod cause;
pub mod certificate_validity;
mod chunk_repair;
pub mod clock_suspect;
pub mod content_coding;
pub mod head_repair;
pub mod http;
pub mod other_protocol;
pub mod resolve;
pub mod sntp;
pub mod timed_io;
pub mod tls;
mod tls_end;
