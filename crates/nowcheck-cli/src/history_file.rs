//! Where the history is if nobody says where: the same for the monitor and for reports.

use std::env;
use std::path::PathBuf;

/// `nowcheck.db` in `$STATE_DIRECTORY` (systemd), `$XDG_STATE_HOME/nowcheck` or `~/.local/state/nowcheck`; none without any
/// of these variables.
pub(crate) fn default() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = variable("STATE_DIRECTORY")
        .or_else(|| variable("XDG_STATE_HOME").map(|folder| folder.join("nowcheck")))
        .or_else(|| variable("HOME").map(|home| home.join(".local/state/nowcheck")))?;
    Some(folder.join("nowcheck.db"))
}
