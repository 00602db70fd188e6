//! Tests that start the real program and speak to it over real sockets.

mod answers;
mod command_line;
mod endings;
mod fast_path;
mod files;
mod harness;
mod limits;
mod observed;
mod page;
mod refusals;
