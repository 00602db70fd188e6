use super::*;

/// A repository with one commit, which holds `crates/a.rs` and `README.md`.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    std::fs::create_dir(place.join("crates")).unwrap();
    for name in ["crates/a.rs", "README.md"] {
        std::fs::write(place.join(name), "text").unwrap();
    }
    run(place, &["init", "--quiet"]);
    run(place, &["add", "."]);
    run(place, &["-c", "user.name=a", "-c", "user.email=a@example", "commit", "--quiet", "--message=first"]);
    folder
}

fn run(place: &Path, arguments: &[&str]) {
    assert!(git(place, arguments).is_some(), "git {arguments:?}");
}

#[test]
fn a_clean_tree_is_its_commit() {
    let folder = repository();
    let commit = commit(folder.path(), &["crates"]).unwrap();
    assert_eq!(Some(commit.as_str()), git(folder.path(), &["rev-parse", "--short=7", "HEAD"]).as_deref());
    assert_eq!(with_commit("0.1.0", Some(&commit)), format!("0.1.0 ({commit})"));
}

#[test]
fn changes_of_the_sources_count_and_others_do_not() {
    let folder = repository();
    std::fs::write(folder.path().join("README.md"), "other").unwrap();
    assert!(!commit(folder.path(), &["crates"]).unwrap().contains("modified"));
    std::fs::write(folder.path().join("crates/new.rs"), "new").unwrap();
    assert!(commit(folder.path(), &["crates"]).unwrap().ends_with("-modified"));
}

#[test]
fn without_a_work_tree_of_its_own_the_version_stands_alone() {
    let folder = repository();
    // Unpacked inside of somebody else's repository.
    assert_eq!(commit(&folder.path().join("crates"), &["."]), None);
    let bare = tempfile::tempdir().unwrap();
    assert_eq!(commit(bare.path(), &["crates"]), None);
    assert_eq!(with_commit("0.1.0", None), "0.1.0");
}

#[test]
fn cargo_watches_the_commit_and_the_sources() {
    let folder = repository();
    let watched = inputs(folder.path(), &["crates", "missing"]);
    let expected = [".git/HEAD", ".git/logs/HEAD", "crates"].map(|name| folder.path().join(name));
    assert_eq!(watched, expected);
}
