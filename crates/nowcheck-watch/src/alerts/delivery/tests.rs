use std::sync::Mutex;

use super::*;
use crate::alerts::testing::{self, notice};
use crate::alerts::{Notice, NoticeEvent};
use crate::http_client::sink::{Sink, answer};

/// A store in memory, which a restart reads.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<BTreeMap<(String, String), Pending>>>);

impl Memory {
    fn rows(&self) -> Vec<Pending> {
        self.0.lock().unwrap().values().cloned().collect()
    }
}

impl Store for Memory {
    fn save(&mut self, message: &Pending) {
        self.0.lock().unwrap().insert((message.receiver.clone(), message.id.clone()), message.clone());
    }

    fn remove(&mut self, receiver: &str, id: &str) {
        self.0.lock().unwrap().remove(&(receiver.to_owned(), id.to_owned()));
    }
}

fn webhook(name: &str, sink: &Sink) -> AlertConfig {
    testing::webhook(name, &format!("http://{}/hook/T0P-53CR3T", sink.address))
}

struct Running {
    delivery: Delivery,
    reports: mpsc::UnboundedReceiver<Report>,
}

fn setup(alerts: Vec<AlertConfig>, memory: &Memory) -> (Setup, mpsc::UnboundedReceiver<Report>) {
    let (sender, reports) = mpsc::unbounded_channel();
    (Setup { alerts, pending: memory.rows(), store: Box::new(memory.clone()), reports: sender }, reports)
}

fn start(alerts: Vec<AlertConfig>, memory: &Memory) -> Running {
    let (setup, reports) = setup(alerts, memory);
    Running { delivery: Delivery::start(setup, Clock::start()), reports }
}

impl Running {
    fn send(&self, receiver: &str, event: NoticeEvent, id: &str) {
        let mut notice = notice(event);
        id.clone_into(&mut notice.id);
        self.delivery.send(receiver, id, notice.to_json());
    }

    async fn report(&mut self) -> Report {
        let report = tokio::time::timeout(Duration::from_secs(20), self.reports.recv()).await;
        report.expect("a report in time").expect("the worker runs")
    }
}

#[tokio::test]
async fn a_message_reaches_the_webhook_signed_and_is_gone_from_the_store() {
    let sink = Sink::answering([answer(204)]).await;
    let memory = Memory::default();
    let mut running = start(vec![webhook("night", &sink)], &memory);
    running.send("night", NoticeEvent::Opened, "1-night-1");
    let report = running.report().await;
    assert_eq!((report.receiver.as_str(), report.result), ("night", DeliveryResult::Delivered));
    let got = &sink.got()[0];
    assert!(got.head.starts_with("POST /hook/T0P-53CR3T HTTP/1.1\r\n"), "{}", got.head);
    assert!(got.head.contains("x-nowcheck-signature: t="), "{}", got.head);
    assert!(got.head.contains("content-type: application/json"), "{}", got.head);
    assert_eq!(Notice::from_json(&got.body).unwrap().id, "1-night-1");
    assert!(memory.rows().is_empty());
}

#[tokio::test]
async fn a_failure_is_tried_again_with_the_same_body() {
    let sink = Sink::answering([answer(500), answer(200)]).await;
    let mut running = start(vec![webhook("night", &sink)], &Memory::default());
    running.send("night", NoticeEvent::Opened, "1-night-1");
    assert_eq!(running.report().await.result.name(), "failed");
    assert_eq!(running.report().await.result.name(), "delivered");
    let got = sink.got();
    assert_eq!((got.len(), &got[0].body), (2, &got[1].body));
}

#[tokio::test]
async fn what_was_not_delivered_is_delivered_after_a_restart() {
    let (broken, memory) = (Sink::answering([answer(503)]).await, Memory::default());
    let mut running = start(vec![webhook("night", &broken)], &memory);
    running.send("night", NoticeEvent::Opened, "1-night-1");
    running.report().await;
    drop(running);
    assert_eq!(memory.rows().len(), 1);
    let mended = Sink::answering([answer(200)]).await;
    let mut running = start(vec![webhook("night", &mended)], &memory);
    assert_eq!(running.report().await.result, DeliveryResult::Delivered);
    assert!(memory.rows().is_empty());
}

#[tokio::test]
async fn a_receiver_that_never_answers_delays_no_other() {
    let (silent, good) = (Sink::answering([""]).await, Sink::answering([answer(200)]).await);
    let mut running = start(vec![webhook("a", &silent), webhook("b", &good)], &Memory::default());
    running.send("a", NoticeEvent::Opened, "1-a-1");
    silent.wait_for(1).await;
    running.send("b", NoticeEvent::Opened, "1-b-1");
    assert_eq!(running.report().await.receiver, "b");
}

#[tokio::test]
async fn what_is_for_a_receiver_that_was_removed_is_dropped_and_reported() {
    let sink = Sink::answering([answer(500)]).await;
    let mut running = start(vec![webhook("night", &sink)], &Memory::default());
    running.send("night", NoticeEvent::Opened, "1-night-1");
    running.report().await;
    running.delivery.replace_receivers(Vec::new());
    assert_eq!(running.report().await.result, DeliveryResult::GaveUp { fault: Fault::NoReceiver });
}

#[tokio::test]
async fn a_wall_clock_that_leaps_over_a_day_gives_up_no_message() {
    let (clock, mut memory) = (Clock::start(), Memory::default());
    let two_days_ago = crate::timestamps::now(clock) - Duration::from_hours(48);
    memory.save(&Pending::new("1-night-1", "night", notice(NoticeEvent::Opened).to_json(), two_days_ago));
    let sink = Sink::answering([answer(204)]).await;
    let (setup, mut reports) = setup(vec![webhook("night", &sink)], &memory);
    let mut worker = Worker::new(setup, clock);
    // The clock went ahead since.
    worker.steps = WallSteps::behind(clock, Duration::from_hours(48));
    worker.begin_tries();
    assert!(reports.try_recv().is_err(), "nothing is given up");
    assert_eq!(worker.names.len(), 1, "it is tried");
    let age = memory.rows()[0].first_try.duration_since(two_days_ago).as_hours();
    assert!((47..49).contains(&age), "what is stored is no older either: {age}");
}
