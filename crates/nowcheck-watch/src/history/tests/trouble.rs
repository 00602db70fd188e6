//! Files and disks that do not take what is written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::status::CheckStatus;

/// Looks again and again until it is so.
fn until(mut is_so: impl FnMut() -> bool) {
    let mut left = 2_000;
    while !is_so() {
        assert!(left > 0, "it does not happen");
        left -= 1;
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("nowcheck.db")
}

fn started(path: &Path) -> History {
    History::start(settings(HistoryPlace::file(path))).unwrap().0
}

/// How many rounds of the check are in the file.
fn count(history: &History) -> usize {
    let all = Range { from: Timestamp::UNIX_EPOCH, to: Timestamp::MAX, now: Timestamp::MAX };
    history.reader().unwrap().rounds("shop", all, usize::MAX).unwrap().len()
}

fn record(history: &History, nth: i64) {
    history.record(round("shop", second(nth), CheckStatus::Ok), None);
}

fn refusal(path: &Path) -> String {
    let error = History::start(settings(HistoryPlace::file(path))).unwrap_err();
    assert!(error.is_refusal());
    error.to_string()
}

#[test]
fn a_file_of_a_newer_version_or_of_another_program_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    for (pragmas, expected) in [
        (
            format!("PRAGMA application_id = {}; PRAGMA user_version = 99", schema::APPLICATION_ID),
            "update the program",
        ),
        ("PRAGMA application_id = 7".to_owned(), "database of another program"),
        ("PRAGMA user_version = 1".to_owned(), "database of another program"),
        (String::new(), "database of another program"),
    ] {
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(&format!("CREATE TABLE notes (text); {pragmas}")).unwrap();
        drop(connection);
        let before = fs::read(&path).unwrap();
        let said = refusal(&path);
        assert!(said.contains(expected), "{said}");
        assert_eq!(fs::read(&path).unwrap(), before);
        let names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["nowcheck.db"]);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let said = refusal(&folder.path().join("no/nowcheck.db"));
    assert!(said.contains("no does not exist; create it"), "{said}");
}

#[test]
fn while_another_process_locks_the_file_rounds_wait_and_the_problem_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let history = started(&file(&folder));
    record(&history, 0);
    assert!(history.flush(SOON));
    let lock = Connection::open(file(&folder)).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    record(&history, 30);
    until(|| history.health().problem.is_some_and(|problem| problem.contains("locked by another process")));
    assert_eq!(history.health().queue_length, 1);
    lock.execute_batch("ROLLBACK").unwrap();
    assert!(history.flush(SOON));
    assert_eq!((history.health(), count(&history)), (Health::default(), 2));
}

#[test]
fn a_file_that_is_locked_at_the_start_is_opened_later() {
    let folder = tempfile::tempdir().unwrap();
    drop(started(&file(&folder)));
    let lock = Connection::open(file(&folder)).unwrap();
    until(|| lock.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").is_ok());
    let history = started(&file(&folder));
    assert!(history.health().problem.is_some());
    record(&history, 0);
    drop(lock);
    assert!(history.flush(SOON));
    assert_eq!((history.health(), count(&history)), (Health::default(), 1));
}

#[test]
fn a_history_that_another_monitor_writes_is_refused_and_can_still_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let history = started(&file(&folder));
    record(&history, 0);
    assert!(history.flush(SOON));
    let said = refusal(&file(&folder));
    assert!(said.contains("is in use by another nowcheck; stop that one, or set another path"), "{said}");
    assert_eq!(count(&history), 1);
    assert!(history.close(SOON));
    drop(started(&file(&folder)));
}

#[test]
fn a_short_lock_at_the_start_hides_nothing_of_what_was_stored() {
    let folder = tempfile::tempdir().unwrap();
    let history = started(&file(&folder));
    let state = vec![("incidents".to_owned(), "open".to_owned())];
    history.commit(Step { state, ..Step::default() });
    assert!(history.close(SOON));
    let lock = Connection::open(file(&folder)).unwrap();
    until(|| lock.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").is_ok());
    let backup = std::thread::spawn(move || {
        // As long as a backup takes.
        std::thread::sleep(Duration::from_secs(1));
        drop(lock);
    });
    let (_history, restored) = History::start(settings(HistoryPlace::file(&file(&folder)))).unwrap();
    assert_eq!(restored.state.get("incidents").map(String::as_str), Some("open"));
    backup.join().unwrap();
}

#[test]
fn what_does_not_fit_into_the_queue_is_dropped_and_counted_and_messages_never_are() {
    let folder = tempfile::tempdir().unwrap();
    let limits = QueueLimits { rounds: 10, ..QueueLimits::default() };
    let history = History::start(HistorySettings { limits, ..settings(HistoryPlace::file(&file(&folder))) });
    let (history, _) = history.unwrap();
    record(&history, 0);
    assert!(history.flush(SOON));
    let lock = Connection::open(file(&folder)).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    (0..30).for_each(|nth| record(&history, nth));
    (0..30).for_each(|nth| {
        let messages = vec![message(&format!("{nth:02}"), 0)];
        history.commit(Step { messages, ..Step::default() });
    });
    assert_eq!((history.health().queue_length, history.health().dropped), (10, 20));
    lock.execute_batch("ROLLBACK").unwrap();
    assert!(history.close(SOON));
    let (history, restored) = History::start(settings(HistoryPlace::file(&file(&folder)))).unwrap();
    assert_eq!((count(&history), restored.outbox.len()), (11, 30));
}

#[test]
fn a_damaged_file_is_moved_aside_and_a_new_one_begun() {
    let folder = tempfile::tempdir().unwrap();
    let history = started(&file(&folder));
    let state = vec![("incidents".to_owned(), "1".to_owned())];
    history.commit(Step { state, messages: vec![message("a", 1)], ..Step::default() });
    (0..3_000).for_each(|nth| record(&history, nth));
    assert!(history.close(SOON));
    let mut bytes = fs::read(file(&folder)).unwrap();
    // All pages but the first, which says whose file it is.
    bytes[4_096..].fill(0x5a);
    fs::write(file(&folder), &bytes).unwrap();
    let history = started(&file(&folder));
    record(&history, 4_000);
    assert!(history.flush(SOON));
    let notices = history.take_notices();
    assert!(notices.len() == 1 && notices[0].contains("damaged"), "{notices:?}");
    let aside = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let aside = aside.filter(|path| path.display().to_string().contains(".corrupt-")).collect::<Vec<_>>();
    assert_eq!(fs::read(&aside[0]).unwrap(), bytes);
    assert_eq!((history.health(), count(&history)), (Health::default(), 1));
}

#[test]
fn what_can_still_be_read_of_what_is_open_goes_on_in_the_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let history = started(&file(&folder));
    let state = vec![("incidents".to_owned(), "{\"open\": 1}".to_owned())];
    history.commit(Step { state: state.clone(), messages: vec![message("a", 1)], ..Step::default() });
    (0..3_000).for_each(|nth| record(&history, nth));
    assert!(history.close(SOON));
    // What is not delivered is lost.
    let connection = Connection::open(file(&folder)).unwrap();
    let page: u32 = connection
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'outbox'", [], |row| row.get(0))
        .unwrap();
    drop(connection);
    let mut bytes = fs::read(file(&folder)).unwrap();
    let at = (page as usize - 1) * 4_096;
    bytes[at..at + 4_096].fill(0x5a);
    fs::write(file(&folder), &bytes).unwrap();
    let (history, restored) = History::start(settings(HistoryPlace::file(&file(&folder)))).unwrap();
    record(&history, 4_000);
    assert!(history.flush(SOON));
    assert!(history.take_notices()[0].contains("damaged"));
    assert!(history.close(SOON));
    let (_, anew) = History::start(settings(HistoryPlace::file(&file(&folder)))).unwrap();
    for restored in [restored, anew] {
        assert_eq!((restored.state, restored.outbox), (state.clone().into_iter().collect(), vec![]));
    }
}

#[test]
fn a_file_that_is_removed_while_it_is_open_is_begun_anew_with_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let history = started(&file(&folder));
    let state = vec![("incidents".to_owned(), "1".to_owned())];
    history.commit(Step { state: state.clone(), messages: vec![message("a", 1)], ..Step::default() });
    assert!(history.flush(SOON));
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{}{suffix}", file(&folder).display())).unwrap();
    }
    record(&history, 0);
    assert!(history.flush(SOON));
    assert_eq!(count(&history), 1);
    assert!(history.close(SOON));
    let (_, restored) = History::start(settings(HistoryPlace::file(&file(&folder)))).unwrap();
    assert_eq!((restored.state, restored.outbox), (state.into_iter().collect(), vec![message("a", 1)]));
}

/// A disk of its own, of one megabyte. None without the right to mount one.
fn small_disk() -> Option<(tempfile::TempDir, Mounted)> {
    let folder = tempfile::tempdir().unwrap();
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path()).output();
    let is_mounted = mount.is_ok_and(|mount| mount.status.success());
    if !is_mounted {
        println!("skipped: a small disk can only be mounted by root");
        return None;
    }
    let mounted = Mounted(folder.path().to_owned());
    Some((folder, mounted))
}

struct Mounted(PathBuf);

impl Mounted {
    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.0).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn on_a_full_disk_rounds_wait_and_are_written_when_there_is_room() {
    let Some((folder, _mounted)) = small_disk() else { return };
    let history = started(&file(&folder));
    record(&history, 0);
    assert!(history.flush(SOON));
    let ballast = folder.path().join("ballast");
    // The disk is full in the middle of this.
    let _ = fs::write(&ballast, vec![1; 2 * 1024 * 1024]);
    (1..2_000).for_each(|nth| record(&history, nth));
    until(|| history.health().problem.is_some_and(|problem| problem.ends_with("is full")));
    assert!(history.health().queue_length > 0);
    fs::remove_file(ballast).unwrap();
    assert!(history.flush(SOON));
    assert_eq!((history.health(), count(&history)), (Health::default(), 2_000));
}

#[test]
fn a_disk_that_turns_read_only_is_reported_and_written_when_it_is_not() {
    let Some((folder, mounted)) = small_disk() else { return };
    drop(started(&file(&folder)));
    until(|| !Path::new(&format!("{}-wal", file(&folder).display())).exists());
    mounted.remount("ro");
    let history = started(&file(&folder));
    record(&history, 0);
    until(|| history.health().problem.is_some_and(|problem| problem.contains("must be writable")));
    mounted.remount("rw");
    assert!(history.flush(SOON));
    assert_eq!((history.health(), count(&history)), (Health::default(), 1));
}

#[test]
fn a_start_on_a_disk_that_is_read_only_forgets_nothing_that_is_open_or_not_delivered() {
    let Some((folder, mounted)) = small_disk() else { return };
    let history = started(&file(&folder));
    let state = vec![("incidents".to_owned(), "{}".to_owned())];
    let messages = vec![message("1-a-1", 0)];
    history.commit(Step { state, messages, ..Step::default() });
    assert!(history.close(SOON));
    mounted.remount("ro");
    let (history, restored) = History::start(settings(HistoryPlace::file(&file(&folder)))).unwrap();
    assert!(history.health().problem.is_some());
    assert_eq!(restored.state.get("incidents").map(String::as_str), Some("{}"));
    assert_eq!(restored.outbox.len(), 1);
    // It was delivered, and something else was decided.
    history.commit(Step { done: vec!["1-a-1".to_owned()], ..Step::default() });
    history.commit(Step { messages: vec![message("1-a-2", 0)], ..Step::default() });
    mounted.remount("rw");
    assert!(history.close(SOON));
    let (_history, restored) = History::start(settings(HistoryPlace::file(&file(&folder)))).unwrap();
    assert_eq!(restored.outbox, [message("1-a-2", 0)]);
    assert_eq!(restored.state.get("incidents").map(String::as_str), Some("{}"));
}

#[test]
fn a_history_on_a_disk_that_is_read_only_can_be_read() {
    let Some((folder, mounted)) = small_disk() else { return };
    let history = started(&file(&folder));
    record(&history, 0);
    assert!(history.close(SOON));
    mounted.remount("ro");
    assert_eq!(count(&history), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_is_damaged_rounds_are_written(
        at: prop::sample::Index, damage in prop::collection::vec(any::<u8>(), 1..5_000),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let history = started(&file(&folder));
        // Ten hours and more, so that there is something of everything.
        (0..700).for_each(|nth| record(&history, 60 * nth));
        prop_assert!(history.flush(SOON));
        record(&history, 60 * 700);
        prop_assert!(history.close(SOON));
        let mut bytes = fs::read(file(&folder)).unwrap();
        let at = at.index(bytes.len());
        let until = bytes.len().min(at + damage.len());
        bytes[at..until].copy_from_slice(&damage[..until - at]);
        fs::write(file(&folder), &bytes).unwrap();
        let Ok((history, _)) = History::start(settings(HistoryPlace::file(&file(&folder)))) else {
            // It looks like a file of somebody else.
            prop_assert_eq!(fs::read(file(&folder)).unwrap(), bytes);
            return Ok(());
        };
        record(&history, 60 * 900);
        prop_assert!(history.flush(SOON));
        prop_assert!(history.close(SOON));
        let aside = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let aside = aside.filter(|path| path.display().to_string().contains(".corrupt-")).collect::<Vec<_>>();
        // The write-ahead log and its index may be moved with it.
        let is_database = |path: &&PathBuf| ["-wal", "-shm"].iter().all(|end| !path.display().to_string().ends_with(end));
        let files = aside.iter().filter(is_database);
        prop_assert_eq!(files.count(), history.take_notices().len());
    }
}
