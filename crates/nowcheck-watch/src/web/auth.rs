//! Who may connect: the names and passwords of `auth_file`, by Basic authentication (RFC 7617).
//!
//! A password is verified on a thread of its own, one at a time, because bcrypt is slow on purpose. One that was right is
//! remembered as a keyed hash, so that a browser with ten requests a page does not pay for it ten times. After a few
//! wrong ones everybody has to wait, except those who are remembered.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use base64ct::{Base64, Encoding};
use clock_offset::MonotonicInstant;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use ring::hmac;
use ring::rand::SystemRandom;
use url::Url;

use super::hosts::Hosts;
use crate::config::{Secret, User};

/// Wrong passwords that are allowed in [`PERIOD`], of all clients together.
const MOST_FAILURES: usize = 10;
const PERIOD: Duration = Duration::from_secs(10);

/// Credentials that are remembered, at most.
const MOST_KNOWN: usize = 1_000;

/// What is verified if there is no user at all: a hash at the cost that `htpasswd -B` uses.
const NOBODY: &str = "$2y$05$nyi2mRmyEYq8CcG7uXnsAe6yO3pYBqZmNUJpF3AJR4nmQnOeH4D0K";

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No credentials, or wrong ones.
    NotKnown,
    /// No token, or a wrong one.
    WrongToken,
    /// It may come from a page of another site.
    WrongHost,
    /// There were too many wrong ones.
    TooManyTries,
}

/// Lets in who has a password.
#[derive(Debug)]
pub(crate) struct Guard {
    /// None if everybody may connect.
    users: RwLock<Option<Arc<[User]>>>,
    /// For whom requests of everybody may be.
    hosts: Hosts,
    /// Of the other instances.
    tokens: RwLock<Vec<Secret>>,
    key: hmac::Key,
    known: Mutex<HashSet<Vec<u8>>>,
    failures: Mutex<Vec<MonotonicInstant>>,
    /// One password is verified at a time.
    verifying: tokio::sync::Mutex<()>,
}

impl Guard {
    /// Lets in these users; everybody if there are none.
    pub(crate) fn new(users: Option<Vec<User>>) -> Self {
        // Without randomness nothing is remembered safely; a fixed key only matters to who can read this program's memory.
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .unwrap_or_else(|_| hmac::Key::new(hmac::HMAC_SHA256, b"nowcheck"));
        Self {
            users: RwLock::new(users.map(Arc::from)),
            hosts: Hosts::default(),
            tokens: RwLock::default(),
            key,
            known: Mutex::default(),
            failures: Mutex::default(),
            verifying: tokio::sync::Mutex::default(),
        }
    }

    /// The same, where it listens here.
    pub(crate) fn at(self, listen: SocketAddr) -> Self {
        Self { hosts: Hosts::new(listen), ..self }
    }

    /// People reach it there from now on.
    pub(crate) fn replace_external_url(&self, url: Option<&Url>) {
        self.hosts.replace(url);
    }

    /// Lets in these from now on.
    pub(crate) fn replace(&self, users: Option<Vec<User>>) {
        let mut known_users = self.users.write().unwrap_or_else(PoisonError::into_inner);
        *known_users = users.map(Arc::from);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Other instances show one of these from now on.
    pub(crate) fn replace_tokens(&self, tokens: Vec<Secret>) {
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
    }

    /// Lets in another instance by its token, `Authorization: Bearer TOKEN` (RFC 6750), and whoever may see everything.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn admit_instance(
        &self,
        headers: &HeaderMap,
        now: MonotonicInstant,
    ) -> Result<(), Refusal> {
        let is_right = {
            let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
            // Compared as keyed hashes, so that the time that it takes tells nothing.
            let given = bearer(headers).map(|token| hmac::sign(&self.key, token.as_bytes()));
            let is_it = |given: &hmac::Tag, token: &Secret| {
                hmac::verify(&self.key, token.expose().as_bytes(), given.as_ref()).is_ok()
            };
            match given {
                _ if tokens.is_empty() => None,
                Some(given) => Some(tokens.iter().any(|token| is_it(&given, token))),
                None if self.wants_names() => None,
                None => Some(false),
            }
        };
        match is_right {
            Some(true) => Ok(()),
            Some(false) => Err(Refusal::WrongToken),
            None => self.admit(headers, now).await,
        }
    }

    /// Whether only some may connect.
    pub(crate) fn wants_names(&self) -> bool {
        self.users().is_some()
    }

    /// Lets a request in, or not.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn admit(&self, headers: &HeaderMap, now: MonotonicInstant) -> Result<(), Refusal> {
        if !self.wants_names() {
            return self.admit_anybody(headers);
        }
        let Some((name, password)) = credentials(headers) else { return Err(Refusal::NotKnown) };
        let seal = hmac::sign(&self.key, format!("{name}:{password}").as_bytes());
        if self.remembers(&seal) {
            return Ok(());
        }
        let _one_at_a_time = self.verifying.lock().await;
        loop {
            // Another request of the same browser may have been verified meanwhile.
            if self.remembers(&seal) {
                return Ok(());
            }
            let Some(users) = self.users() else { return self.admit_anybody(headers) };
            self.may_try(now)?;
            if !is_right(&users, &name, &password).await {
                self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(now);
                return Err(Refusal::NotKnown);
            }
            if self.remember(&users, &seal) {
                return Ok(());
            }
        }
    }

    /// Without a password, it matters whether a page of another site asks.
    fn admit_anybody(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.hosts.include(headers) { Ok(()) } else { Err(Refusal::WrongHost) }
    }

    fn users(&self) -> Option<Arc<[User]>> {
        self.users.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remembers(&self, seal: &hmac::Tag) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(seal.as_ref())
    }

    /// Remembers what was right for these users, unless there are others since: then it has to be verified again.
    fn remember(&self, verified_for: &Arc<[User]>, seal: &hmac::Tag) -> bool {
        // Nobody replaces them as long as this is held.
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        if !users.as_ref().is_some_and(|users| Arc::ptr_eq(users, verified_for)) {
            return false;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(seal.as_ref().to_vec());
        true
    }

    fn may_try(&self, now: MonotonicInstant) -> Result<(), Refusal> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|&failure| now.since(failure) < PERIOD);
        if failures.len() < MOST_FAILURES { Ok(()) } else { Err(Refusal::TooManyTries) }
    }
}

/// Whether a user has this password. For a name that nobody has, it takes as long as for the user whose hash takes the
/// longest.
async fn is_right(users: &[User], name: &str, password: &str) -> bool {
    let (hash, is_somebody) = to_verify(users, name);
    let (hash, password) = (Secret::new(hash), password.to_owned());
    let verifying = tokio::task::spawn_blocking(move || bcrypt::verify(&password, hash.expose()));
    matches!(verifying.await, Ok(Ok(true))) && is_somebody
}

/// The hash that is verified for a name, and whether it is somebody's.
fn to_verify<'a>(users: &'a [User], name: &str) -> (&'a str, bool) {
    if let Some(user) = users.iter().find(|user| user.name == name) {
        return (user.password_hash.expose(), true);
    }
    let slowest = users.iter().max_by_key(|user| user.cost());
    (slowest.map_or(NOBODY, |user| user.password_hash.expose()), false)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, encoded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(Base64::decode_vec(encoded.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::HOST;

    use super::*;

    fn guard() -> Guard {
        let hash = bcrypt::hash("correct horse", 4).unwrap();
        Guard::new(Some(vec![User { name: "ops".to_owned(), password_hash: Secret::new(&hash) }]))
    }

    fn headers(credentials: &str) -> HeaderMap {
        let value = format!("Basic {}", Base64::encode_string(credentials.as_bytes()));
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(&value).unwrap())])
    }

    fn at(seconds: u64) -> MonotonicInstant {
        MonotonicInstant::after_origin(Duration::from_secs(seconds))
    }

    #[tokio::test]
    async fn who_has_the_password_is_let_in_and_nobody_else() {
        let guard = guard();
        assert_eq!(guard.admit(&headers("ops:correct horse"), at(0)).await, Ok(()));
        for wrong in ["ops:wrong", "ops:", "root:correct horse", "ops"] {
            assert_eq!(guard.admit(&headers(wrong), at(0)).await, Err(Refusal::NotKnown), "{wrong}");
        }
        assert_eq!(guard.admit(&HeaderMap::new(), at(0)).await, Err(Refusal::NotKnown));
        assert_eq!(Guard::new(None).admit(&HeaderMap::new(), at(0)).await, Ok(()));
    }

    #[tokio::test]
    async fn guessing_is_slow_and_locks_nobody_out_who_has_logged_in() {
        let guard = guard();
        assert_eq!(guard.admit(&headers("ops:correct horse"), at(0)).await, Ok(()));
        for _ in 0..MOST_FAILURES {
            assert_eq!(guard.admit(&headers("ops:guess"), at(1)).await, Err(Refusal::NotKnown));
        }
        assert_eq!(guard.admit(&headers("ops:guess"), at(2)).await, Err(Refusal::TooManyTries));
        assert_eq!(guard.admit(&headers("ops:correct horse"), at(2)).await, Ok(()));
        assert_eq!(guard.admit(&headers("ops:guess"), at(12)).await, Err(Refusal::NotKnown));
    }

    #[tokio::test]
    async fn a_user_who_was_taken_out_of_the_file_is_not_let_in_any_more() {
        let guard = guard();
        assert_eq!(guard.admit(&headers("ops:correct horse"), at(0)).await, Ok(()));
        guard.replace(Some(Vec::new()));
        assert_eq!(guard.admit(&headers("ops:correct horse"), at(0)).await, Err(Refusal::NotKnown));
    }

    #[test]
    fn a_user_who_is_taken_out_while_a_password_is_verified_is_not_let_in() {
        // One thread verifies, which the test keeps busy until it has taken the user out.
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        runtime.block_on(take_a_user_out_meanwhile());
    }

    async fn take_a_user_out_meanwhile() {
        let guard = Arc::new(guard());
        let admit = || {
            let guard = Arc::clone(&guard);
            tokio::spawn(async move { guard.admit(&headers("ops:correct horse"), at(0)).await })
        };
        let hash = Secret::new(bcrypt::hash("another", 4).unwrap());
        let others = || Some(vec![User { name: "root".to_owned(), password_hash: hash.clone() }]);
        let before = guard.users().map(|users| users.to_vec());
        // While it waits for others.
        let first = guard.verifying.lock().await;
        let waiting = admit();
        tokio::task::yield_now().await;
        guard.replace(others());
        drop(first);
        assert_eq!(waiting.await.unwrap(), Err(Refusal::NotKnown));
        // While it is verified, on another thread.
        guard.replace(before);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let busy = tokio::task::spawn_blocking(move || wait.recv().is_err());
        let verifying = admit();
        tokio::task::yield_now().await;
        guard.replace(others());
        drop(go);
        assert!(busy.await.unwrap());
        assert_eq!(verifying.await.unwrap(), Err(Refusal::NotKnown));
        assert_eq!(guard.admit(&headers("ops:correct horse"), at(0)).await, Err(Refusal::NotKnown));
    }

    #[tokio::test]
    async fn a_password_that_several_requests_bring_at_the_same_time_is_verified_once() {
        let guard = Arc::new(guard());
        let first = guard.verifying.lock().await;
        let requests: Vec<_> = (0..10)
            .map(|_| {
                let guard = Arc::clone(&guard);
                tokio::spawn(async move { guard.admit(&headers("ops:correct horse"), at(0)).await })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(first);
        tokio::task::yield_now().await;
        // Whoever has to be verified from now on is not let in.
        guard.failures.lock().unwrap().extend([at(0); MOST_FAILURES]);
        for request in requests {
            assert_eq!(request.await.unwrap(), Ok(()));
        }
    }

    #[tokio::test]
    async fn a_name_of_another_site_is_refused_where_no_password_is_wanted() {
        let foreign = || HeaderMap::from_iter([(HOST, HeaderValue::from_static("evil.test:9464"))]);
        let listen = "127.0.0.1:9464".parse().unwrap();
        let open = Guard::new(None).at(listen);
        assert_eq!(open.admit(&foreign(), at(0)).await, Err(Refusal::WrongHost));
        assert_eq!(open.admit_instance(&foreign(), at(0)).await, Err(Refusal::WrongHost));
        open.replace_external_url(Some(&"https://evil.test/".parse().unwrap()));
        assert_eq!(open.admit(&foreign(), at(0)).await, Ok(()));
        // Who has a password or a token comes in by any name: no page of another site has it.
        let closed = guard().at(listen);
        let mut headers = headers("ops:correct horse");
        headers.extend(foreign());
        assert_eq!(closed.admit(&headers, at(0)).await, Ok(()));
    }

    #[test]
    fn for_a_name_that_nobody_has_the_slowest_hash_is_verified() {
        let user = |name: &str, cost| {
            let hash = format!("$2y${cost:02}$nyi2mRmyEYq8CcG7uXnsAe6yO3pYBqZmNUJpF3AJR4nmQnOeH4D0K");
            User { name: name.to_owned(), password_hash: Secret::new(&hash) }
        };
        let users = [user("ops", 5), user("root", 12), user("guest", 10)];
        let hash = |name| users.iter().find(|user| user.name == name).unwrap().password_hash.expose();
        assert_eq!(to_verify(&users, "guest"), (hash("guest"), true));
        assert_eq!(to_verify(&users, "nobody"), (hash("root"), false));
        assert_eq!(to_verify(&[], "nobody"), (NOBODY, false));
    }

    #[tokio::test]
    async fn the_password_of_another_user_lets_no_unknown_name_in() {
        assert_eq!(guard().admit(&headers("nobody:correct horse"), at(0)).await, Err(Refusal::NotKnown));
    }

    #[tokio::test]
    async fn an_instance_is_let_in_by_its_token_or_as_a_user() {
        let with = |text: &str| HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(text).unwrap())]);
        let token = vec![Secret::new("a-token-of-an-instance")];
        let open = Guard::new(None);
        assert_eq!(open.admit_instance(&HeaderMap::new(), at(0)).await, Ok(()));
        open.replace_tokens(token.clone());
        assert_eq!(open.admit_instance(&HeaderMap::new(), at(0)).await, Err(Refusal::WrongToken));
        assert_eq!(open.admit_instance(&with("Bearer another"), at(0)).await, Err(Refusal::WrongToken));
        assert_eq!(open.admit_instance(&with("bearer a-token-of-an-instance"), at(0)).await, Ok(()));
        let closed = guard();
        closed.replace_tokens(token);
        assert_eq!(closed.admit_instance(&HeaderMap::new(), at(0)).await, Err(Refusal::NotKnown));
        assert_eq!(closed.admit_instance(&headers("ops:correct horse"), at(0)).await, Ok(()));
        assert_eq!(closed.admit(&with("Bearer a-token-of-an-instance"), at(0)).await, Err(Refusal::NotKnown));
    }

    #[test]
    fn the_hash_of_nobody_is_one() {
        assert!(bcrypt::verify("anything", NOBODY).is_ok());
    }
}
