//! Who is connected. When there are too many, the connection that has asked for nothing for the longest has to go: so
//! clients that are slow, or do nothing, hold up nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

/// The connections that are open.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Counts connections and requests.
    next: u64,
    open: BTreeMap<u64, Place>,
}

/// What is known of an open connection.
#[derive(Debug)]
struct Place {
    /// The number of its last request, or of itself.
    asked: u64,
    /// Requests that are being worked on.
    under_way: u32,
    task: Option<AbortHandle>,
}

/// A connection that is open. It is no more when this is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    of: Arc<Connections>,
    id: u64,
}

/// A request is being worked on: its connection goes only if all others are at work, too.
#[derive(Debug)]
pub(super) struct Working {
    of: Arc<Connections>,
    id: u64,
}

impl Connections {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, state: Mutex::default() })
    }

    /// Makes room for one more.
    pub(super) fn admit(self: &Arc<Self>) -> Connection {
        let mut state = self.lock();
        while state.open.len() >= self.most.max(1) {
            state.end_one();
        }
        let id = state.number();
        state.open.insert(id, Place { asked: id, under_way: 0, task: None });
        Connection { of: Arc::clone(self), id }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// One that is at work stays as long as there is another one: but somebody new, such as a health check, always comes in.
    fn end_one(&mut self) {
        let oldest = self.open.iter().min_by_key(|(_, place)| (place.under_way > 0, place.asked));
        let Some(id) = oldest.map(|(&id, _)| id) else { return };
        if let Some(Place { task: Some(task), .. }) = self.open.remove(&id) {
            task.abort();
        }
    }
}

impl Connection {
    /// This is what serves it.
    pub(super) fn is_served_by(&self, task: AbortHandle) {
        // Gone already, if it had to make room.
        match self.of.lock().open.get_mut(&self.id) {
            Some(place) => place.task = Some(task),
            None => task.abort(),
        }
    }

    /// It asks for something.
    pub(super) fn asks(&self) {
        let mut state = self.of.lock();
        let number = state.number();
        if let Some(place) = state.open.get_mut(&self.id) {
            place.asked = number;
        }
    }

    /// It is at work until what this returns is dropped.
    pub(super) fn works(&self) -> Working {
        if let Some(place) = self.of.lock().open.get_mut(&self.id) {
            place.under_way += 1;
        }
        Working { of: Arc::clone(&self.of), id: self.id }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.of.lock().open.remove(&self.id);
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        // The connection may have ended before its request.
        if let Some(place) = self.of.lock().open.get_mut(&self.id) {
            place.under_way = place.under_way.saturating_sub(1);
        }
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
        assert_eq!(connections.lock().open.len(), 2);
    }

    #[tokio::test]
    async fn one_that_is_at_work_stays_as_long_as_another_one_can_go() {
        let connections = Connections::new(2);
        let (first, first_task) = open(&connections);
        let working = first.works();
        let (second, second_task) = open(&connections);
        let (third, _third_task) = open(&connections);
        assert!(second_task.await.unwrap_err().is_cancelled());
        assert!(!first_task.is_finished());
        // What has gone is not counted again when its request ends.
        drop(second.works());
        let (_working_too, third_works) = (working, third.works());
        let (_fourth, fourth_task) = open(&connections);
        assert!(first_task.await.unwrap_err().is_cancelled(), "somebody new comes in all the same");
        drop(third_works);
        let (_fifth, _) = open(&connections);
        assert!(!fourth_task.is_finished());
    }

    #[test]
    fn one_that_has_ended_makes_room_by_itself() {
        let connections = Connections::new(2);
        for _ in 0..10 {
            drop(connections.admit());
        }
        assert!(connections.lock().open.is_empty());
    }
}
