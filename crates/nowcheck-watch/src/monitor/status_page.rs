//! The status page: its listener, and its thread as long as the monitor runs.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use super::StartError;
use crate::config::Config;
use crate::history::Restored;
use crate::log::LogEvent;
use crate::side_thread::SideThread;
use crate::web::status_page::{self, Source};
use crate::web::{self, Served};

/// A status page that is served, on a thread of its own: whoever reads it delays no alert and no dashboard.
#[derive(Debug)]
pub(super) struct StatusPage {
    address: SocketAddr,
    _thread: SideThread,
}

impl StatusPage {
    /// The socket of a page, if there has to be one.
    pub(super) fn listen(config: &Config) -> Result<Option<TcpListener>, StartError> {
        let Some(address) = config.server.status_page else { return Ok(None) };
        web::listen(address).map(Some).map_err(|error| StartError::StatusPage { address, error })
    }

    /// Serves it over this socket.
    pub(super) fn serve(
        listener: TcpListener,
        served: &Served,
        restored: &Restored,
        open_files: u64,
    ) -> Result<Self, StartError> {
        let address = listener.local_addr().map_err(StartError::Machine)?;
        let thread = SideThread::start("status-page").map_err(StartError::Machine)?;
        let source = Source {
            clock: served.clock,
            board: Arc::clone(&served.board),
            results: Arc::clone(&served.results),
            restored: restored.state.get(Source::STATE).cloned(),
            most_connections: web::most_connections_of_the_status_page(open_files),
        };
        status_page::start(thread.handle(), listener, source);
        Ok(Self { address, _thread: thread })
    }

    /// Where it is.
    pub(super) fn event(&self) -> LogEvent {
        LogEvent::StatusPage { listen: format!("http://{}/", self.address) }
    }
}
