use std::path::{Path, PathBuf};

use super::*;
use crate::alerts::NoticeEvent;
use crate::alerts::testing::notice;
use crate::config::Secret;

fn script(words: &str) -> Vec<String> {
    ["/bin/sh", "-c", words].map(str::to_owned).into()
}

async fn ran(command: &[String], longest: Duration) -> Result<(), Fault> {
    let notice = notice(NoticeEvent::Opened);
    run((command, &KnownSecrets::default()), &notice, &notice.to_json(), longest).await
}

async fn sentence(command: &[String]) -> String {
    ran(command, Duration::from_secs(10)).await.unwrap_err().to_string()
}

fn place(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("nowcheck-exec-{}-{name}", std::process::id()))
}

#[tokio::test]
async fn the_program_gets_the_facts_and_the_json() {
    let file = place("facts");
    let words = format!("{{ env | grep ^NOWCHECK_ | sort; cat; }} > {}", file.display());
    ran(&script(&words), Duration::from_secs(10)).await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(text.contains("NOWCHECK_CHECK=shop\n") && text.contains("NOWCHECK_EVENT=opened\n"), "{text}");
    assert!(text.contains("NOWCHECK_OFFSET_LOWER=2.900000001\n"), "{text}");
    assert!(text.ends_with(&notice(NoticeEvent::Opened).to_json()), "{text}");
}

#[tokio::test]
async fn a_program_that_does_not_read_its_input_is_right() {
    ran(&["/bin/true".to_owned()], Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn arguments_are_not_read_by_a_shell() {
    let command = ["/bin/sh", "-c", "test \"$0\" = '$(exit 1);`x`'", "$(exit 1);`x`"].map(str::to_owned);
    ran(&command, Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn a_program_that_fails_says_how_and_why() {
    let words = sentence(&script("echo out; echo it is broken >&2; exit 1")).await;
    assert!(words.starts_with("the program exited with 1: \"it is broken\"; run it by hand"), "{words}");
    let words = sentence(&script("kill -TERM $$")).await;
    assert!(words.contains("was ended by a signal"), "{words}");
}

#[tokio::test]
async fn output_is_kept_up_to_a_limit_and_cannot_write_to_a_terminal() {
    let words = sentence(&script("yes | head -c 1000000 >&2; printf '\\033[2J' >&2; exit 3")).await;
    assert!(words.len() < 1_000 && !words.contains('\u{1b}'), "{words}");
}

#[tokio::test]
async fn a_program_that_cannot_be_run_says_what_to_do() {
    let words = sentence(&["/nowhere/page".to_owned()]).await;
    assert_eq!(words, "there is no program /nowhere/page; correct command");
    let file = place("not-executable");
    std::fs::write(&file, "").unwrap();
    let words = sentence(&[file.display().to_string()]).await;
    std::fs::remove_file(&file).unwrap();
    assert!(words.contains("may not be run; make it executable"), "{words}");
}

fn is_running(id: &str) -> bool {
    // A zombie runs no more.
    let stat = std::fs::read_to_string(Path::new("/proc").join(id).join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[tokio::test]
async fn a_program_that_runs_for_ever_is_ended_with_what_it_started() {
    let file = place("forever");
    let words = format!("sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait", file.display());
    let fault = ran(&script(&words), Duration::from_millis(500)).await.unwrap_err();
    assert!(fault.to_string().contains("ran for more than 500 ms and was killed"), "{fault}");
    let id = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    std::fs::remove_file(&file).unwrap();
    let gone = async {
        while is_running(&id) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(10), gone).await.expect("the child is ended, too");
}

#[tokio::test]
async fn what_a_program_leaves_behind_is_ended_with_it_and_does_not_make_it_fail() {
    let file = place("left-behind");
    let words = format!("sleep 1000 >/dev/null 2>&1 </dev/null & echo $! > {}", file.display());
    for words in [words.clone(), format!("{words}; sleep 1000 & exit 0")] {
        ran(&script(&words), Duration::from_secs(10)).await.unwrap();
        let id = std::fs::read_to_string(&file).unwrap().trim().to_owned();
        assert!(!is_running(&id), "{id} is gone when the result is told");
    }
    std::fs::remove_file(&file).unwrap();
}

#[tokio::test]
async fn a_program_gets_no_secret_of_the_configuration_and_none_that_it_prints_is_shown() {
    // Set in every environment.
    let (path, home) = (std::env::var("PATH").unwrap(), "https://hooks.example/T0/aVeryLongToken");
    let mut secrets = KnownSecrets::default();
    secrets.add(Some("PATH"), &Secret::new(path.clone()));
    secrets.add(None, &Secret::new(home));
    let notice = notice(NoticeEvent::Opened);
    let printed = async |words: &str| {
        let command = script(words);
        let ran = run((&command, &secrets), &notice, &notice.to_json(), Duration::from_secs(10)).await;
        ran.unwrap_err().to_string()
    };
    // The shell sets one of its own, but does not export it.
    let words = printed("/usr/bin/env | /usr/bin/grep -c ^PATH=; exit 1").await;
    assert!(words.contains("exited with 1: \"0\""), "{words}");
    let words = printed(&format!("echo cannot post to {home} or {path}; exit 1")).await;
    assert!(words.contains("cannot post to") && words.contains("***"), "{words}");
    assert!(!words.contains("aVery") && !words.contains(&path), "{words}");
    // What is left of a long output begins somewhere.
    let words = printed(&format!("printf '%01998d' 1 | tr 0-9 x; echo; echo {home}; exit 1")).await;
    assert!(!words.contains("LongToken"), "{words}");
}
