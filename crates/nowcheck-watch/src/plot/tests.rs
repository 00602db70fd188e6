use std::time::Duration;

use expect_test::expect;
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::history::{Point, Range, Summary};
use crate::incident::{OffsetBounds, ServiceStatus};
use crate::jumps::Jump;

fn minute(minute: i64) -> Timestamp {
    Timestamp::from_second(1_795_521_600 + 60 * minute).unwrap()
}

fn range(minutes: i64) -> Range {
    Range { from: minute(0), to: minute(minutes), now: minute(minutes) }
}

/// A minute that is all of one kind, with these bounds on the offset in microseconds.
fn point(nth: i64, kind: ServiceStatus, offset: Option<(i128, i128)>) -> Point {
    let mut summary = Summary::default();
    summary.times.count(kind, Duration::from_mins(1));
    summary.offset = offset.map(|(lower, upper)| OffsetBounds { lower: lower * 1_000, upper: upper * 1_000 });
    if offset.is_some() {
        summary.round_trips.add(Duration::from_micros(700));
    }
    Point { from: minute(nth), to: minute(nth + 1), summary }
}

const OK: ServiceStatus = ServiceStatus::Ok;

fn jump(at: i64) -> Jump {
    let size = OffsetBounds { lower: 900_000_000, upper: 1_100_000_000 };
    Jump { after: minute(at - 1), until: minute(at), size, clock: None }
}

/// Four good minutes, of which the third is missing; a fifth in which nobody watched.
fn course() -> Vec<Point> {
    let nobody = Point { from: minute(4), to: minute(5), summary: Summary::default() };
    vec![
        point(0, OK, Some((-200, 300))),
        point(1, OK, Some((-100, 400))),
        point(2, ServiceStatus::Unknown, None),
        point(3, OK, Some((0, 500))),
        nobody,
    ]
}

/// The attributes of that name of all elements with a class.
fn attributes(plot: &Plot, class: &str, name: &str) -> Vec<String> {
    let text = plot.body.0.as_str();
    let (class, name) = (format!("class=\"{class}\""), format!(" {name}=\""));
    let tags = text.split('<').filter(|tag| tag.contains(&class));
    tags.filter_map(|tag| Some(tag.split_once(&name)?.1.split('"').next()?.to_owned())).collect()
}

#[test]
fn a_band_ends_at_a_gap_and_begins_anew_after_it() {
    let plot = offset(&course(), &[], None, range(5), Size::Wide);
    let bands = attributes(&plot, "band", "d");
    expect![[r"
        M78 56.3H212.4V37.2H346.8L346.8 132.8H212.4V152H78Z
        M481.2 18H615.6L615.6 113.7H481.2Z"]]
    .assert_eq(&bands.join("\n"));
}

#[test]
fn time_of_which_nothing_is_proven_is_shaded_and_time_that_nobody_watched_is_not() {
    let plot = offset(&course(), &[], None, range(5), Size::Wide);
    assert_eq!(attributes(&plot, "gap", "x"), ["346.8"]);
    assert_eq!(attributes(&plot, "gap", "width"), ["134.4"]);
}

#[test]
fn limits_are_drawn_if_the_offset_is_near_them_and_named_if_not() {
    let near = offset(&course(), &[], Some(Duration::from_millis(1)), range(5), Size::Wide);
    assert_eq!(attributes(&near, "limit", "d").len(), 2);
    let far = offset(&course(), &[], Some(Duration::from_secs(1)), range(5), Size::Wide);
    assert!(attributes(&far, "limit", "d").is_empty());
    assert!(far.body.0.contains("limits ±1 s are outside"), "{}", far.body.0);
}

#[test]
fn the_note_on_limits_that_are_outside_does_not_lie_on_the_band() {
    let far = offset(&course(), &[], Some(Duration::from_secs(1)), range(5), Size::Wide);
    let note: f64 = attributes(&far, "limit-name", "y")[0].parse().unwrap();
    let bands = attributes(&far, "band", "d").concat();
    // Where the edge of a band is: what follows the blank or the V in each step of its path.
    let heights = bands.split(['M', 'L', 'H', 'Z']).flat_map(|step| step.split(['V', ' ']).skip(1));
    let highest = heights.filter_map(|y| y.parse::<f64>().ok()).fold(f64::INFINITY, f64::min);
    assert!(highest.is_finite() && highest > note, "the band at {highest}, the note at {note}: {bands}");
}

#[test]
fn a_jump_is_marked_where_it_was_and_told() {
    let plot = offset(&course(), &[jump(3), jump(60)], None, range(5), Size::Wide);
    assert_eq!(attributes(&plot, "jump", "d"), ["M481.2 10V160"], "the other one is not in the range");
    assert!(plot.description().ends_with("It jumped 2 times."), "{}", plot.description());
}

#[test]
fn a_sparkline_has_a_gap_where_nothing_is_known_and_says_what_it_shows() {
    let text = sparkline(&course(), Duration::from_secs(1), range(5)).into_string();
    assert_eq!(text.matches("class=\"band\"").count(), 2, "{text}");
    assert_eq!(text.matches("class=\"gap\"").count(), 1, "{text}");
    assert!(
        text.contains("aria-label=\"Offset of the last 5 min: -200 µs … +500 µs, unknown for 1 min\""),
        "{text}"
    );
}

#[test]
fn each_kind_of_time_has_a_lane_and_neighbors_are_one_bar() {
    let plot = times(&course(), range(5), Size::Wide);
    assert_eq!(attributes(&plot, "ok", "x"), ["78", "481.2"]);
    assert_eq!(attributes(&plot, "ok", "width"), ["268.8", "134.4"]);
    assert_eq!(attributes(&plot, "unknown", "x"), ["346.8"]);
    let top = |kind| attributes(&plot, kind, "y")[0].parse::<f64>().unwrap();
    assert!(top("unknown") - top("ok") > 60.0, "each kind has its own place");
}

#[test]
fn a_plot_says_what_it_shows_to_people_who_do_not_see_it() {
    let inline = round_trips(&course(), range(5), Size::Narrow).inline("a", "narrow").into_string();
    assert!(inline.contains(r#"role="img" aria-labelledby="a-title" aria-describedby="a-text""#), "{inline}");
    assert!(inline.contains(r#"<title id="a-title">Round trips</title>"#), "{inline}");
    assert!(inline.contains("95 % of them at most"), "{inline}");
}

#[test]
fn names_in_a_document_are_escaped() {
    let plots = vec![times(&course(), range(5), Size::Wide)];
    let text = document("a <b>", &[("shop & <script>".to_owned(), plots)]);
    assert!(text.contains("shop &amp; &lt;script&gt;") && !text.contains("<script>"), "{text}");
}

/// The number of a kind of time, seconds, and an offset in microseconds with its width.
type DrawnPoint = (usize, u64, Option<(i64, i64)>);

fn any_point() -> impl Strategy<Value = DrawnPoint> {
    let offset = prop_oneof![Just((0, 0)), (-1_000_i64..1_000, 0..1_000_i64), (any::<i64>(), any::<i64>())];
    (0..4_usize, 0..60_u64, prop::option::of(offset))
}

fn drawn(points: &[DrawnPoint]) -> Vec<Point> {
    let kinds = [OK, ServiceStatus::Wrong, ServiceStatus::Down, ServiceStatus::Unknown];
    (0..)
        .zip(points)
        .map(|(nth, (kind, seconds, offset))| {
            let offset = offset.map(|(one, other)| (i128::from(one.min(other)), i128::from(one.max(other))));
            let mut point = point(nth, kinds[*kind], offset);
            point.summary.times.count(OK, Duration::from_secs(*seconds));
            point
        })
        .collect()
}

/// All numbers of paths and rectangles.
fn coordinates(text: &str) -> Vec<f64> {
    let attribute = |name: &str| {
        text.split(&format!(" {name}=\""))
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let paths = attribute("d");
    let separators = |one: char| one.is_ascii_alphabetic() || one == ' ';
    let numbers = paths.iter().flat_map(|path| path.split(separators)).filter(|number| !number.is_empty());
    let others = ["x", "y", "width", "height"].into_iter().flat_map(attribute);
    numbers.map(str::to_owned).chain(others).map(|number| number.parse().unwrap()).collect()
}

proptest! {
    #[test]
    fn everything_is_inside_the_plot_whatever_was_measured(
        points in prop::collection::vec(any_point(), 0..40),
        length in 0..60_i64,
        limit in prop::option::of(any::<u64>()),
        is_wide in any::<bool>(),
    ) {
        let (points, limit) = (drawn(&points), limit.map(Duration::from_nanos));
        let size = if is_wide { Size::Wide } else { Size::Narrow };
        let range = range(length);
        let jumps = [jump(2), jump(90)];
        for plot in [offset(&points, &jumps, limit, range, size), round_trips(&points, range, size), times(&points, range, size)] {
            let text = plot.body.0.as_str();
            prop_assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
            for number in coordinates(text) {
                prop_assert!((0.0..=plot.frame.extent().0.max(plot.frame.extent().1)).contains(&number), "{number} in {text}");
            }
            let again = text.to_owned();
            prop_assert_eq!(plot.body.0.as_str(), again);
        }
    }
}
