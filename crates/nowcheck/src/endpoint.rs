//! Where something is to be asked, before its name is resolved.

use url::Host;

use crate::zone::Zone;

/// A host and a port, of a URL or of a reference.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint<'a> {
    /// Its name or address.
    pub host: &'a Host<String>,
    /// On which interface, for a link-local address.
    pub zone: Option<&'a Zone>,
    /// Its port.
    pub port: u16,
}
