//! An outcome in words and as JSON. Nothing here reads or writes anything.

pub mod advice;
pub mod json;
pub mod references;
pub mod words;
