//! A running nowd, and plain sockets to speak to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// Longer than anything here takes; a test that reaches it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The program, with an environment that says nothing to it.
pub(crate) fn nowd() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nowd"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("NOWD_")) {
        command.env_remove(name);
    }
    command
}

/// Runs to the end a program that ends by itself.
pub(crate) fn output(command: &mut Command) -> Output {
    command.output().expect("the program runs")
}

/// A process that serves; it is killed when the test is done with it.
pub(crate) struct Service {
    process: Child,
    lines: Receiver<String>,
    /// All log lines that have been read.
    pub(crate) log: Vec<String>,
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Service {
    /// Two threads on a port that the system chooses.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(flags: &[&str]) -> Self {
        Self::of(nowd().args(["--listen=127.0.0.1:0", "--threads=2"]).args(flags))
    }

    /// Starts any command that becomes nowd and logs as text.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().expect("the program starts");
        let stderr = process.stderr.take().expect("standard error is piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut service = Self { process, lines, log: Vec::new(), addresses: Vec::new() };
        let first = service.line_with("listening on ");
        let (_, urls) = first.split_once("listening on ").expect("the line has what was waited for");
        service.addresses = urls
            .split_whitespace()
            .map(|url| url.trim_start_matches("http://").parse().expect("a URL of an address"))
            .collect();
        service
    }

    /// Waits for a log line that contains `text`.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.log.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(error) => panic!("no line with {text:?} in the log ({error}):\n{}", self.log.join("\n")),
            }
        }
    }

    /// Its standard output, once, if it was piped.
    pub(crate) fn stdout(&mut self) -> ChildStdout {
        self.process.stdout.take().expect("standard output is piped")
    }

    /// The memory that it takes.
    pub(crate) fn resident_bytes(&self) -> usize {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a figure");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1_024
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    pub(crate) fn connect(&self) -> Client {
        Client::to(self.address())
    }

    /// The answer to one request on a connection of its own.
    pub(crate) fn get(&self, target: &str) -> Answer {
        self.ask("GET", target)
    }

    pub(crate) fn ask(&self, method: &str, target: &str) -> Answer {
        let mut client = self.connect();
        client.send(format!("{method} {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
        client.answer_to(method)
    }

    /// The head of the answer to a request with these header lines. A body in another coding than plain is no text.
    pub(crate) fn head(&self, target: &str, lines: &str) -> Answer {
        let mut client = self.connect();
        client.send(format!("HEAD {target} HTTP/1.1\r\nHost: test\r\n{lines}\r\n"));
        client.answer_to("HEAD")
    }

    /// The body of the answer, as the bytes that they are.
    pub(crate) fn body(&self, target: &str, lines: &str) -> Vec<u8> {
        let mut client = self.connect();
        client.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{lines}\r\n"));
        client.answer_to("HEAD");
        let mut body = Vec::new();
        client.0.read_to_end(&mut body).expect("the service closes the connection in good order");
        body
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.process.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success());
    }

    /// Waits for the process to end, and for the rest of its log.
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<String>) {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.log.push(line);
        }
        let status = self.process.try_wait().expect("the process can be asked");
        // Standard error is closed a moment before the process has ended.
        let status = status.unwrap_or_else(|| self.process.wait().expect("the process ends"));
        (status, std::mem::take(&mut self.log))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended already in the tests that are about its end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One connection.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the service accepts connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit can be set");
        Self(BufReader::new(stream))
    }

    pub(crate) fn send(&mut self, text: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(text.as_ref()).expect("the service takes the request");
    }

    /// The same connection, for another thread.
    pub(crate) fn another_end(&self) -> Self {
        Self(BufReader::new(self.0.get_ref().try_clone().expect("a socket can be shared")))
    }

    /// Ends the client's side of the connection.
    pub(crate) fn end(&mut self) {
        self.0.get_mut().shutdown(std::net::Shutdown::Write).expect("the connection is open");
    }

    /// Reads one answer, and not a byte more.
    pub(crate) fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    pub(crate) fn answer_to(&mut self, method: &str) -> Answer {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("a line of the answer");
            match line.trim_end_matches("\r\n") {
                "" => break,
                full => lines.push(full.to_owned()),
            }
        }
        let mut lines = lines.into_iter();
        let status_line = lines.next().expect("a status line");
        let headers: Vec<_> = lines
            .map(|line| {
                let (name, value) = line.split_once(": ").expect("a header");
                (name.to_ascii_lowercase(), value.to_owned())
            })
            .collect();
        let mut answer = Answer { status_line, headers, body: String::new() };
        if method != "HEAD" && answer.has("content-length") {
            let mut body = vec![0; answer.header("content-length").parse().expect("a length")];
            self.0.read_exact(&mut body).expect("the whole body");
            answer.body = String::from_utf8(body).expect("text");
        }
        answer
    }

    /// What comes until the service closes the connection.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).expect("the service closes the connection in good order");
        rest
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status_line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.status_line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
    }

    /// The value of a header that comes once.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.iter().filter(|(other, _)| other == name);
        let (_, value) = values.next().unwrap_or_else(|| panic!("no {name} in {self:#?}"));
        assert!(values.next().is_none(), "{name} comes twice in {self:#?}");
        value
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(other, _)| other == name)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:#?}"))
    }

    /// Checks that it is a problem of that status and type, and gives its detail.
    pub(crate) fn problem(&self, status: u16, kind: &str) -> String {
        assert_eq!(self.status(), status, "{self:#?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.header("vary"), "Accept");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        assert!(self.has("date"), "{self:#?}");
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:nowd:problem:{kind}"));
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string());
        problem["detail"].as_str().expect("a detail").to_owned()
    }
}
