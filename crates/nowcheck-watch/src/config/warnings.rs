//! What a valid file says that will not do what it was written for, on this machine and at this moment.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nowcheck::text::printable;

use super::duration::written;
use super::relations::called;
use super::{Config, Export, Receiver, User};

impl Config {
    /// What to look after before it is needed: one sentence each, with what to do. It looks at the disk.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> =
            self.heartbeat_is_too_fast().into_iter().chain(self.costs_differ()).collect();
        for alert in &self.alerts {
            if let Receiver::Exec { command, .. } = &alert.receiver
                && let Some(why) = command.first().and_then(|program| cannot_be_run(program))
            {
                warnings.push(format!("{}: {why}", called("alert", &alert.name)));
            }
        }
        let history = self.history.path.as_deref().map(|path| ("history".to_owned(), path));
        let exports = self.exports.iter().enumerate().filter_map(|(nth, export)| {
            let (Export::Textfile { path } | Export::Emf { path: Some(path), .. }) = &export.destination
            else {
                return None;
            };
            Some((format!("export {}", nth + 1), path.as_path()))
        });
        let missing =
            history.into_iter().chain(exports).filter_map(|(table, path)| lacks_folder(&table, path));
        warnings.extend(missing);
        warnings
    }

    /// Hints: settings that are valid and often an oversight.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        self.messages_have_no_link().into_iter().collect()
    }

    fn messages_have_no_link(&self) -> Option<String> {
        let lacks_it = !self.alerts.is_empty() && self.server.external_url.is_none();
        lacks_it.then(|| {
            "server: messages have no link to their incident; write external_url = \"https://...\", the address at which people \
             reach the dashboard"
                .to_owned()
        })
    }

    /// A wrong password for a name that exists is rejected sooner, if its hash is faster than the slowest one.
    fn costs_differ(&self) -> Option<String> {
        let costs = self.server.users.iter().flatten().map(User::cost);
        let (least, greatest) = (costs.clone().min()?, costs.max()?);
        (least < greatest).then(|| {
            format!(
                "server: auth_file has hashes of cost {least} to {greatest}, so the time of an answer tells which names exist; \
                 write all of them with htpasswd -B -C {greatest}"
            )
        })
    }

    /// A ping is sent for rounds that were held since the last one.
    fn heartbeat_is_too_fast(&self) -> Option<String> {
        let every = self.heartbeat.as_ref()?.every;
        let rounds = self.checks.iter().map(|check| check.every).min()?;
        (every < rounds).then(|| {
            let (every, rounds) = (written(every), written(rounds));
            format!(
                "heartbeat: every = \"{every}\" is shorter than the every of each check ({rounds}), so pings are left out in which \
                 no round was held; write every = \"{rounds}\" or more, and let the dead-man's switch wait longer than that"
            )
        })
    }
}

/// Why a program cannot be run by this user.
fn cannot_be_run(program: &str) -> Option<String> {
    let shown = printable(program.as_bytes(), 100);
    let mut found = candidates(program).into_iter().filter(|path| path.is_file()).peekable();
    if found.peek().is_none() {
        return Some(format!("there is no program {shown}; correct command, or install it"));
    }
    let is_executable =
        |path: &PathBuf| path.metadata().is_ok_and(|file| file.permissions().mode() & 0o111 != 0);
    (!found.any(|path| is_executable(&path)))
        .then(|| format!("the program {shown} may not be run; make it executable (chmod +x)"))
}

/// Where the system looks for a program (execvp(3)).
fn candidates(program: &str) -> Vec<PathBuf> {
    if program.contains('/') {
        return vec![PathBuf::from(program)];
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).collect()
}

fn lacks_folder(table: &str, file: &Path) -> Option<String> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty())?;
    let shown = printable(folder.as_os_str().as_encoded_bytes(), 200);
    if folder.is_dir() {
        return None;
    }
    Some(format!("{table}: the folder {shown} of path does not exist; make it, or correct path"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::System;

    fn warnings(more: &str) -> Vec<String> {
        let text =
            format!("[[check]]\nname = \"shop\"\nurl = \"http://shop.example\"\nevery = \"5m\"\n{more}");
        Config::parse("a.toml", text.as_bytes(), Path::new(""), &System).unwrap().warnings()
    }

    #[test]
    fn a_heartbeat_needs_rounds_to_tell_of() {
        let beat = |every: &str| format!("[heartbeat]\nurl_env = \"PATH\"\nevery = \"{every}\"\n");
        // The variable holds no URL; what is tested is the period.
        let parsed = |every| {
            let text = format!(
                "[[check]]\nname = \"shop\"\nurl = \"http://shop.example\"\nevery = \"5m\"\n{}",
                beat(every)
            );
            Config::parse("a.toml", text.as_bytes(), Path::new(""), &Fixed).unwrap().warnings()
        };
        assert!(parsed("5m").is_empty());
        let [one] = &parsed("1m")[..] else { panic!() };
        assert!(
            one.contains("shorter than the every of each check (5m)") && one.contains("write every"),
            "{one}"
        );
    }

    struct Fixed;

    impl crate::config::SecretSource for Fixed {
        fn file(&self, _: &Path, _: u64) -> std::io::Result<Vec<u8>> {
            Err(std::io::ErrorKind::NotFound.into())
        }

        fn variable(&self, _: &str) -> Option<String> {
            Some("https://beat.example/".to_owned())
        }
    }

    #[test]
    fn hashes_that_take_different_times_are_mentioned() {
        let folder = tempfile::tempdir().unwrap();
        let users = folder.path().join("users");
        let parsed = |costs: &[u8]| {
            let hash = "nyi2mRmyEYq8CcG7uXnsAe6yO3pYBqZmNUJpF3AJR4nmQnOeH4D0K";
            let lines =
                costs.iter().enumerate().map(|(nth, cost)| format!("user{nth}:$2y${cost:02}${hash}\n"));
            std::fs::write(&users, lines.collect::<String>()).unwrap();
            warnings(&format!("[server]\nauth_file = \"{}\"\n", users.display()))
        };
        assert!(parsed(&[10]).is_empty() && parsed(&[5, 5]).is_empty());
        let [one] = &parsed(&[10, 5, 12])[..] else { panic!() };
        assert!(one.contains("cost 5 to 12") && one.contains("htpasswd -B -C 12"), "{one}");
    }

    #[test]
    fn a_program_has_to_be_there_and_executable() {
        let exec = |program: &str| {
            format!("[[alert]]\nname = \"page\"\ntype = \"exec\"\ncommand = [\"{program}\"]\n")
        };
        assert!(warnings(&exec("/bin/sh")).is_empty() && warnings(&exec("sh")).is_empty());
        assert_eq!(
            warnings(&exec("/nowhere/page")),
            ["alert \"page\": there is no program /nowhere/page; correct command, or install it"]
        );
        assert_eq!(warnings(&exec("no-such-program-anywhere")).len(), 1);
        let [one] = &warnings(&exec("/etc/passwd"))[..] else { panic!() };
        assert!(one.contains("may not be run; make it executable"), "{one}");
    }

    #[test]
    fn messages_without_a_link_are_mentioned() {
        let hints = |more: &str| {
            let text = format!("[[check]]\nname = \"shop\"\nurl = \"http://shop.example\"\n{more}");
            Config::parse("a.toml", text.as_bytes(), Path::new(""), &System).unwrap().hints()
        };
        let alert = "[[alert]]\nname = \"page\"\ntype = \"exec\"\ncommand = [\"/bin/sh\"]\n";
        assert!(hints("").is_empty());
        assert!(hints(&format!("{alert}[server]\nexternal_url = \"https://now.example/\"\n")).is_empty());
        let [one] = &hints(alert)[..] else { panic!() };
        assert!(one.starts_with("server: messages have no link") && one.contains("external_url"), "{one}");
    }

    #[test]
    fn a_folder_has_to_be_there() {
        let files = "[history]\npath = \"/nowhere/a.db\"\n[[export]]\ntype = \"textfile\"\npath = \"/nowhere/a.prom\"\n";
        assert_eq!(
            warnings(files),
            [
                "history: the folder /nowhere of path does not exist; make it, or correct path",
                "export 1: the folder /nowhere of path does not exist; make it, or correct path",
            ]
        );
    }
}
