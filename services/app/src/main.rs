//! The program `nowd`. All of it is in the library, which the fuzz targets use too.

use std::process::ExitCode;

fn main() -> ExitCode {
    nowd::run()
}
