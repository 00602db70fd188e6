//! The floor of what a check of a service costs: connect, send one request, receive its answer, close. Nothing is parsed,
//! timed, judged or stored, and everything blocks.
//!
//! `connect-loop ADDRESS RATE SECONDS`: so many times a second, for so long. Prints how many answers came.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, address, rate, seconds] = &arguments[..] else { exit("connect-loop ADDRESS RATE SECONDS") };
    let (Ok(address), Ok(rate), Ok(seconds)) =
        (address.parse::<SocketAddr>(), rate.parse::<u32>(), seconds.parse::<u32>())
    else {
        exit("connect-loop ADDRESS RATE SECONDS, such as 127.0.0.1:8080 100 10")
    };
    let pause = Duration::from_secs(1) / rate.max(1);
    let request = format!("GET /now HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut answers = 0_u32;
    for _ in 0..rate * seconds {
        answers += u32::from(ask(address, request.as_bytes()).is_ok_and(|bytes| bytes > 0));
        std::thread::sleep(pause);
    }
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "{answers}");
}

fn ask(address: SocketAddr, request: &[u8]) -> std::io::Result<usize> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(request)?;
    let mut answer = [0; 4096];
    stream.read(&mut answer)
}

fn exit(usage: &str) -> ! {
    let _ = writeln!(std::io::stderr(), "{usage}");
    std::process::exit(2)
}
