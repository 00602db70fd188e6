//! Text for people and programs: figures with their units, and foreign text made safe to print.

pub mod figures;
mod printable;
mod secrets;

pub use printable::printable;
pub use secrets::Secrets;
