//! A program: the facts in its environment, the JSON object on its standard input. No shell is involved.

use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nowcheck::text::printable;
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, test_kill_process_group, waitpgid};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::fault::{Fault, ProgramFault};
use super::notice::Notice;
use crate::config::KnownSecrets;

/// How much of what the program prints is kept, in bytes: the end, where the error is.
const MOST_OF_OUTPUT: usize = 2_000;

/// How long output is waited for after the program ended: what left its group may hold the pipe open.
const PATIENCE_FOR_OUTPUT: Duration = Duration::from_millis(200);

/// How long those are waited for that were killed.
const PATIENCE_FOR_THE_KILLED: Duration = Duration::from_millis(200);

/// Runs the program once, without the variables that hold secrets of the configuration.
pub(super) async fn run(
    (command, secrets): (&[String], &KnownSecrets),
    notice: &Notice,
    body: &str,
    longest: Duration,
) -> Result<(), Fault> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(ProgramFault::Missing(String::new()).into());
    };
    let mut command = Command::new(program);
    for variable in secrets.variables() {
        command.env_remove(variable);
    }
    command
        .args(arguments)
        .envs(environment(notice))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that it is ended with everything that it started.
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| not_started(program, &error))?;
    // It is dropped before the child, whose number nobody else can have until then.
    let mut group = Group::of(&child);
    let ended = timeout(longest, attend(&mut child, &mut group, body)).await;
    match ended {
        Err(_) => {
            group.end(&mut child).await;
            Err(ProgramFault::TooSlow(longest).into())
        }
        Ok(Err(error)) => Err(ProgramFault::NotStarted(shown(program), error.kind().to_string()).into()),
        Ok(Ok((status, _))) if status.success() => Ok(()),
        Ok(Ok((status, output))) => Err(failed(status, &output, secrets).into()),
    }
}

/// The facts, one a variable. A list is separated by commas.
fn environment(notice: &Notice) -> Vec<(&'static str, String)> {
    let offset = notice.offset.as_ref();
    let facts = [
        ("NOWCHECK_ID", notice.id.clone()),
        ("NOWCHECK_INCIDENT", notice.incident.clone().unwrap_or_default()),
        ("NOWCHECK_EVENT", notice.event.name().to_owned()),
        ("NOWCHECK_MONITOR", notice.monitor.clone()),
        ("NOWCHECK_CHECK", notice.check.clone().unwrap_or_default()),
        ("NOWCHECK_STATUS", notice.status.name().to_owned()),
        ("NOWCHECK_REASON", notice.reason.clone()),
        ("NOWCHECK_SUMMARY", notice.summary.clone()),
        ("NOWCHECK_ADVICE", notice.advice.clone().unwrap_or_default()),
        ("NOWCHECK_SINCE", notice.since.to_string()),
        ("NOWCHECK_AT", notice.at.to_string()),
        ("NOWCHECK_BACKENDS", notice.backends.join(",")),
        ("NOWCHECK_OFFSET_LOWER", offset.map(|offset| offset.lower.to_string()).unwrap_or_default()),
        ("NOWCHECK_OFFSET_UPPER", offset.map(|offset| offset.upper.to_string()).unwrap_or_default()),
        ("NOWCHECK_LINK", notice.link.clone().unwrap_or_default()),
    ];
    // The system takes no NUL in a variable.
    facts.into_iter().map(|(name, value)| (name, value.replace('\0', ""))).collect()
}

/// Writes, reads and waits side by side, so that no full pipe stops the program. What it leaves behind ends with it.
async fn attend(child: &mut Child, group: &mut Group, body: &str) -> io::Result<(ExitStatus, Vec<u8>)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async move {
        if let Some(mut stdin) = stdin {
            // A program that does not read its input is right, too.
            let _ = stdin.write_all(body.as_bytes()).await;
        }
    };
    let (mut printed, mut errors) = (Vec::new(), Vec::new());
    let status = {
        let mut talk = pin!(async {
            tokio::join!(write, keep_end(stdout, &mut printed), keep_end(stderr, &mut errors));
        });
        let mut is_over = false;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                () = &mut talk, if !is_over => is_over = true,
            }
        };
        group.end(child).await;
        if !is_over {
            let _ = timeout(PATIENCE_FOR_OUTPUT, talk).await;
        }
        status
    };
    Ok((status, if errors.is_empty() { printed } else { errors }))
}

async fn keep_end(pipe: Option<impl AsyncRead + Unpin>, end: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut chunk = [0; 1_024];
    while let Ok(length @ 1..) = pipe.read(&mut chunk).await {
        end.extend_from_slice(&chunk[..length]);
        let surplus = end.len().saturating_sub(MOST_OF_OUTPUT);
        end.drain(..surplus);
    }
}

/// The program and what it started. None of them outlives this, unless it has left the group (`setsid`).
struct Group {
    id: Option<Pid>,
}

impl Group {
    fn of(child: &Child) -> Self {
        Self { id: child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) }
    }

    /// Kills what is left of it, and waits until it is gone. The program may have ended just before: its number is taken as
    /// long as anything of the group is left, and numbers are given out in turn.
    async fn end(&mut self, child: &mut Child) {
        let Some(id) = self.id.take() else { return };
        if kill_process_group(id, Signal::KILL).is_err() {
            return;
        }
        let gone = async {
            let _ = child.wait().await;
            while test_kill_process_group(id).is_ok() {
                // In a container this program may be the one to which orphans are given.
                let _ = waitpgid(id, WaitOptions::NOHANG);
                sleep(Duration::from_millis(2)).await;
            }
        };
        // A process that waits for a disk ends later.
        let _ = timeout(PATIENCE_FOR_THE_KILLED, gone).await;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            // It may have ended this very moment.
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

fn shown(program: &str) -> String {
    printable(program.as_bytes(), 200)
}

fn not_started(program: &str, error: &io::Error) -> Fault {
    let program = shown(program);
    match error.kind() {
        io::ErrorKind::NotFound => ProgramFault::Missing(program),
        io::ErrorKind::PermissionDenied => ProgramFault::Forbidden(program),
        kind => ProgramFault::NotStarted(program, kind.to_string()),
    }
    .into()
}

fn failed(status: ExitStatus, output: &[u8], secrets: &KnownSecrets) -> ProgramFault {
    let ending = match status.code() {
        Some(code) => format!("exited with {code}"),
        None => format!("was ended by a signal ({status})"),
    };
    let mut text = String::from_utf8_lossy(output);
    if output.len() >= MOST_OF_OUTPUT {
        // The first word may be the end of a secret.
        let rest = text.split_once(char::is_whitespace).map_or("", |(_, rest)| rest).to_owned();
        text = rest.into();
    }
    let words = secrets.masked(&text).split_whitespace().collect::<Vec<_>>().join(" ");
    let output = (!words.is_empty()).then(|| printable(words.as_bytes(), 300));
    ProgramFault::Failed { ending, output }
}

#[cfg(test)]
mod tests;
