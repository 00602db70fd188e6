//! Text for people and programs: figures with their units, and foreign text made safe to print.

pub mod figures;
mod printable;

pub use printable::printable;
