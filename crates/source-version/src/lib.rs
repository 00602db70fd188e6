//! For build scripts: the version of a program with the commit that it is built from, such as `0.1.0 (1a2b3c4)`.
//!
//! The commit is that of the git work tree whose root is the workspace; a tree with changes is `1a2b3c4-modified`. Where
//! there is no such work tree (an archive of the sources), the variable `BUILD_COMMIT` may name the commit. Without either,
//! the version stands alone. Nothing else goes in, so the same sources give the same text.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What may name the commit. It wins over git, so that a build from an archive can equal one from the clone.
const VARIABLE: &str = "BUILD_COMMIT";

/// What a build script prints to set `VERSION_WITH_COMMIT` for its crate. Cargo then calls the script again when the commit,
/// or whether the sources differ from it, may have changed.
///
/// `sources` are paths from the root of the workspace: what the program is made of.
///
/// # Panics
///
/// When cargo's variables are missing: outside of a build script.
#[must_use]
pub fn directives(workspace: &Path, sources: &[&str]) -> String {
    let version = env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    let named = env::var(VARIABLE).ok().filter(|name| !name.is_empty());
    let mut lines = vec![format!("cargo::rerun-if-env-changed={VARIABLE}")];
    if named.is_none() {
        let inputs = inputs(workspace, sources);
        lines.extend(inputs.iter().map(|input| format!("cargo::rerun-if-changed={}", input.display())));
    }
    let commit = named.or_else(|| commit(workspace, sources));
    lines.push(format!("cargo::rustc-env=VERSION_WITH_COMMIT={}", with_commit(&version, commit.as_deref())));
    lines.join("\n")
}

fn with_commit(version: &str, commit: Option<&str>) -> String {
    commit.map_or_else(|| version.to_owned(), |commit| format!("{version} ({commit})"))
}

/// The commit of the work tree at `workspace`, seven digits or more; none if there is no work tree of its own.
fn commit(workspace: &Path, sources: &[&str]) -> Option<String> {
    let root = git(workspace, &["rev-parse", "--show-toplevel"])?;
    // Sources that were unpacked somewhere inside of another project's work tree are not of its commit.
    if Path::new(&root).canonicalize().ok()? != workspace.canonicalize().ok()? {
        return None;
    }
    let commit = git(workspace, &["rev-parse", "--short=7", "HEAD"])?;
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(sources);
    let is_modified = git(workspace, &status).is_some_and(|changes| !changes.is_empty());
    Some(if is_modified { commit + "-modified" } else { commit })
}

/// The files and directories that decide what [`commit`] says. Only those that exist: cargo takes a missing one for changed.
fn inputs(workspace: &Path, sources: &[&str]) -> Vec<PathBuf> {
    // HEAD changes with the branch, its log with each commit.
    let of_git = ["HEAD", "logs/HEAD"].map(|name| git(workspace, &["rev-parse", "--git-path", name]));
    let of_git = of_git.into_iter().flatten().map(|path| workspace.join(path));
    of_git.chain(sources.iter().map(|source| workspace.join(source))).filter(|path| path.exists()).collect()
}

/// What a git command prints, without the line feed; none if it fails, or if there is no git.
fn git(workspace: &Path, arguments: &[&str]) -> Option<String> {
    // A status must not write to the index of somebody who is working with it.
    let output = Command::new("git")
        .arg("--no-optional-locks")
        .args(arguments)
        .current_dir(workspace)
        .output()
        .ok()?;
    if !output.status.success() {
        return None;
    }
    Some(String::from_utf8(output.stdout).ok()?.trim_end().to_owned())
}

#[cfg(test)]
mod tests;
