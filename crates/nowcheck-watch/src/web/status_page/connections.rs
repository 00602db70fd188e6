//! Who is connected to the status page. When there are too many, whoever has asked for nothing for the longest has to go:
//! so clients that are slow, or do nothing, hold up nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

/// The connections, by when they asked for something last.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    by_age: BTreeMap<u64, Option<AbortHandle>>,
}

/// A connection that is open. It is no more when this is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    of: Arc<Connections>,
    age: Mutex<u64>,
}

impl Connections {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, state: Mutex::default() })
    }

    /// Makes room for one more.
    pub(super) fn admit(self: &Arc<Self>) -> Connection {
        let mut state = self.lock();
        while state.by_age.len() >= self.most {
            if let Some((_, Some(oldest))) = state.by_age.pop_first() {
                oldest.abort();
            }
        }
        let age = state.insert(None);
        Connection { of: Arc::clone(self), age: Mutex::new(age) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn insert(&mut self, task: Option<AbortHandle>) -> u64 {
        self.next += 1;
        self.by_age.insert(self.next, task);
        self.next
    }
}

impl Connection {
    /// This is what serves it.
    pub(super) fn is_served_by(&self, task: AbortHandle) {
        let age = self.age();
        // Gone already, if it had to make room.
        match self.of.lock().by_age.get_mut(&age) {
            Some(known) => *known = Some(task),
            None => task.abort(),
        }
    }

    /// It asks for something.
    pub(super) fn asks(&self) {
        let mut age = self.age.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.of.lock();
        if let Some(task) = state.by_age.remove(&age) {
            *age = state.insert(task);
        }
    }

    fn age(&self) -> u64 {
        *self.age.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let age = self.age();
        self.of.lock().by_age.remove(&age);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection that stays until it has to go.
    fn open(connections: &Arc<Connections>) -> (Arc<Connection>, tokio::task::JoinHandle<()>) {
        let connection = Arc::new(connections.admit());
        let held = Arc::clone(&connection);
        let task = tokio::spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        connection.is_served_by(task.abort_handle());
        (connection, task)
    }

    #[tokio::test]
    async fn the_one_that_has_asked_for_nothing_for_the_longest_makes_room() {
        let connections = Connections::new(2);
        let (first, first_task) = open(&connections);
        let (_second, second_task) = open(&connections);
        first.asks();
        let (third, third_task) = open(&connections);
        assert!(second_task.await.unwrap_err().is_cancelled());
        assert!(!first_task.is_finished() && !third_task.is_finished());
        let (_fourth, _) = open(&connections);
        assert!(first_task.await.unwrap_err().is_cancelled());
        assert!(!third_task.is_finished());
        third.asks();
        assert_eq!(connections.lock().by_age.len(), 2);
    }

    #[test]
    fn one_that_has_ended_makes_room_by_itself() {
        let connections = Connections::new(2);
        for _ in 0..10 {
            drop(connections.admit());
        }
        assert!(connections.lock().by_age.is_empty());
    }
}
