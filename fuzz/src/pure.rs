//! clock-offset: plans that are given any answers, selections among any claims, windows of any observations.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use clock_offset::{
    Action, Batch, BoundedTime, Drift, DriftRate, DriftWindow, Forecast, Interval, Limits, MonotonicInstant,
    NewConnections, Observation, Offset, Plan, Reading, ReferenceClock, Rejection, RejectionKind, Rules,
    Sample, Selection, Shown, TimeOfDay, Trend, UnixInstant, Verdict, WindowSize,
};

const NOW: i128 = 1_795_464_711_000_000_000;
/// The check takes an answer as it is when so many were not.
const MOST_DISCARDED: u32 = 8;
const DAY: i128 = 86_400_000_000_000;

/// A round in which everything may be answered.
pub fn plan(data: &[u8]) {
    let _ = held(&mut Unstructured::new(data));
}

fn held(from: &mut Unstructured<'_>) -> Result<()> {
    let rules = rules(from)?;
    let max_requests = rules.max_requests;
    let drift = Drift::from_ppm(from.int_in_range(0..=1_000)?);
    let mut plan = Plan::new(rules, ReferenceClock { bounds: claim(from)?, drift });
    let mut now = MonotonicInstant::ORIGIN;
    let (mut opened, mut asked) = (0, 0);
    let mut discarded = 0;
    // When nothing is left that says what happens, every answer is the same, and the plan has to come to an end.
    loop {
        match plan.next(now) {
            Action::Stop(_) => break,
            Action::Open(NewConnections { count, requests, at, .. }) => {
                assert!(count > 0 && requests > 0 && at >= now);
                // Those that were kept are let go, as the check does it.
                (0..opened).for_each(|connection| plan.connection_was_closed(connection));
                for connection in opened..opened + count {
                    let mut begin = at;
                    for _ in 0..requests {
                        asked += 1;
                        let (end, goes_on) = answer(from, &mut plan, &mut discarded, begin, connection)?;
                        now = now.max(end);
                        begin = end;
                        if !goes_on {
                            break;
                        }
                    }
                }
                plan.record_batch(&batch(from, opened..opened + count, at, now)?);
                opened += count;
            }
            Action::Ask { connection, at } => {
                assert!(connection < opened && at >= now);
                asked += 1;
                if from.ratio(1, 16)? {
                    plan.kept_connection_was_lost(connection);
                } else {
                    (now, _) = answer(from, &mut plan, &mut discarded, at, connection)?;
                }
            }
        }
        // Until there is an answer that can be used, two are asked for again and again.
        assert!(asked <= max_requests.max(2 * (discarded + 1)), "{asked} requests of {max_requests}");
    }
    judge(&plan, &rules);
    Ok(())
}

fn rules(from: &mut Unstructured<'_>) -> Result<Rules> {
    let max_offset = Duration::from_nanos(from.int_in_range(0..=3_000_000_000)?);
    Ok(Rules {
        limits: Limits { max_offset, warn_offset: from.arbitrary::<bool>()?.then_some(max_offset / 2) },
        drift: Drift::from_ppm(from.int_in_range(0..=1_000)?),
        requests_per_connection: from.int_in_range(1..=4)?,
        miss_probability: f64::from(from.int_in_range(1..=9_999_u16)?) / 10_000.0,
        expected_backends: NonZeroUsize::new(from.int_in_range(0..=4)?),
        max_requests: from.int_in_range(1..=48)?,
        max_connections: from.int_in_range(1..=16)?,
        last_start: MonotonicInstant::after_origin(Duration::from_millis(from.int_in_range(0..=20_000)?)),
    })
}

/// Connections that were asked side by side, of which some were turned away, or none.
fn batch(
    from: &mut Unstructured<'_>,
    connections: Range<u32>,
    began: MonotonicInstant,
    ended: MonotonicInstant,
) -> Result<Batch> {
    let mut rejections = Vec::new();
    for _ in connections.clone() {
        if from.ratio(1, 8)? {
            let kind = *from.choose(&[
                RejectionKind::Connection,
                RejectionKind::Unavailable,
                RejectionKind::Overload,
                RejectionKind::TooManyRequests,
                RejectionKind::KeptWaiting,
                RejectionKind::LocalShortage,
            ])?;
            let retry_after =
                from.arbitrary::<Option<u32>>()?.map(|millis| Duration::from_millis(millis.into()));
            rejections.push(Rejection { kind, retry_after });
        }
    }
    let fastest = from.arbitrary::<Option<u32>>()?.map(|micros| Duration::from_micros(micros.into()));
    let longer = Duration::from_micros(from.arbitrary::<u32>()?.into());
    let slowest = fastest.map(|fastest| fastest + longer);
    let answers = from.int_in_range(0..=16)?;
    let beside_others = from.ratio(1, 8)?;
    Ok(Batch {
        connections,
        beside_others,
        began,
        ended: ended.max(began),
        rejections,
        answers,
        fastest,
        slowest,
    })
}

/// One request: when it ended, and whether the connection can be asked again.
fn answer(
    from: &mut Unstructured<'_>,
    plan: &mut Plan,
    discarded: &mut u32,
    at: MonotonicInstant,
    connection: u32,
) -> Result<(MonotonicInstant, bool)> {
    let sent = at + Duration::from_nanos(u64::from(from.arbitrary::<u16>()?) << from.int_in_range(0..=16)?);
    let received =
        sent + Duration::from_nanos(u64::from(from.arbitrary::<u16>()?) << from.int_in_range(0..=20)?);
    let stays_open = from.arbitrary()?;
    if *discarded < MOST_DISCARDED && from.ratio(1, 16)? {
        *discarded += 1;
        plan.answer_was_discarded(connection, stays_open);
        return Ok((received, stays_open));
    }
    let instance = *from.choose(&[None, None, Some("one"), Some("two")])?;
    let instance = instance.map(Arc::from);
    plan.record(Sample { sent, received, reading: reading(from)?, instance, connection }, stays_open);
    Ok((received, stays_open))
}

fn reading(from: &mut Unstructured<'_>) -> Result<Reading> {
    let step: u64 = *from.choose(&[1, 1_000, 1_000_000, 1_000_000_000])?;
    let shown = match from.int_in_range(0..=3)? {
        0 => {
            let begin = from.int_in_range(0..=DAY - 1)?;
            Shown::TimeOfDay(Interval::new(
                TimeOfDay::from_nanos(begin),
                TimeOfDay::from_nanos(begin + i128::from(step)),
            ))
        }
        // A million years away.
        1 => instant(i128::from(from.arbitrary::<i64>()?) * 3_425, step),
        _ => instant(NOW + i128::from(from.arbitrary::<i32>()?) * 4, step),
    };
    let may_lag = Duration::from_nanos(from.int_in_range(0..=2_000_000_000)?);
    Ok(Reading { shown, step: Duration::from_nanos(step), may_lag })
}

fn instant(begin: i128, step: u64) -> Shown {
    Shown::Instant(Interval::new(
        UnixInstant::from_nanos(begin),
        UnixInstant::from_nanos(begin + i128::from(step)),
    ))
}

fn judge(plan: &Plan, rules: &Rules) {
    let conclusion = plan.conclusion();
    assert!((0.0..=1.0).contains(&conclusion.miss_probability), "{}", conclusion.miss_probability);
    let mut grouped: Vec<usize> =
        conclusion.backends.iter().flat_map(|judged| judged.backend.samples.iter().copied()).collect();
    grouped.sort_unstable();
    assert!(grouped.iter().copied().eq(0..plan.samples().len()), "each answer is of one clock: {grouped:?}");
    for judged in &conclusion.backends {
        assert!(judged.offset.earliest() <= judged.offset.latest());
        let proven = rules.limits.verdict(&judged.offset);
        // It may say less than the offset proves: of clocks without a name every answer has to prove it by itself.
        let is_proven = match judged.verdict {
            Verdict::Undetermined => true,
            Verdict::NotWithinWarning => matches!(proven, Verdict::InSync | Verdict::NotWithinWarning),
            Verdict::InSync | Verdict::Desynchronized => judged.verdict == proven,
        };
        assert!(is_proven, "{proven:?} {judged:?}");
    }
}

/// What several time servers claim.
pub fn vote(data: &[u8]) {
    let _ = voted(&mut Unstructured::new(data));
}

fn voted(from: &mut Unstructured<'_>) -> Result<()> {
    let at = MonotonicInstant::after_origin(Duration::from_nanos(from.arbitrary::<u32>()?.into()));
    let drift = Drift::from_ppm(from.int_in_range(0..=1_000)?);
    let mut claims = Vec::new();
    for _ in 0..from.int_in_range(0..=9)? {
        claims.push(claim(from)?);
    }
    let carried: Vec<Interval<UnixInstant>> =
        claims.iter().map(|claim| claim.carried_to(at, drift).shows).collect();
    let most = carried
        .iter()
        .map(|one| carried.iter().filter(|other| other.contains(one.earliest())).count())
        .max()
        .unwrap_or_default();
    match clock_offset::select(&claims, at, drift) {
        Selection::NoClaims => assert!(claims.is_empty()),
        Selection::Agreed(agreement) => {
            assert!(2 * most > claims.len());
            let mut all = [&agreement.truechimers[..], &agreement.falsetickers[..]].concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..claims.len()));
            assert!(2 * agreement.truechimers.len() > claims.len());
            assert_eq!(agreement.bounds.at, at);
            for &place in &agreement.truechimers {
                assert!(carried[place].intersection(&agreement.bounds.shows).is_some());
            }
        }
        Selection::NoMajority { largest } => {
            assert!(2 * most <= claims.len());
            for clique in largest {
                assert_eq!(clique.members.len(), most);
            }
        }
    }
    Ok(())
}

fn claim(from: &mut Unstructured<'_>) -> Result<BoundedTime> {
    let at = MonotonicInstant::after_origin(Duration::from_nanos(from.arbitrary::<u32>()?.into()));
    let begin = NOW + i128::from(from.arbitrary::<i32>()?);
    let width = i128::from(from.arbitrary::<u16>()?) << from.int_in_range(0..=20)?;
    let shows = Interval::new(UnixInstant::from_nanos(begin), UnixInstant::from_nanos(begin + width));
    Ok(BoundedTime { at, shows })
}

/// A window of any offsets, also absurd ones and in the wrong order.
pub fn drift(data: &[u8]) {
    let _ = drifted(&mut Unstructured::new(data));
}

fn drifted(from: &mut Unstructured<'_>) -> Result<()> {
    let ppm = *from.choose(&[0, 1, 500, 1_000_000, u32::MAX])?;
    let length = Duration::from_nanos(from.arbitrary()?);
    let observations = NonZeroUsize::MIN.saturating_add(from.int_in_range(0..=63)?);
    let mut window = DriftWindow::new(Drift::from_ppm(ppm), WindowSize { length, observations });
    let mut at = MonotonicInstant::after_origin(Duration::from_nanos(from.arbitrary::<u32>()?.into()));
    while !from.is_empty() {
        let observation = observation(from, at)?;
        let before = (window.len(), window.step());
        if window.record(observation).is_err() {
            assert_eq!(before, (window.len(), window.step()), "a rejected observation changes nothing");
            continue;
        }
        at = observation.at;
        assert!(!window.is_empty() && window.len() <= observations.get());
        let trend = window.trend().expect("there is an observation");
        assert_eq!(trend.until, observation.at);
        assert_eq!(trend.break_after.is_none(), trend.observations == window.len());
        assert!(trend.offset_after(Duration::ZERO).is_within(&observation.offset));
        foresee(from, &trend, ppm)?;
        if let Some(step) = window.step() {
            assert!(step.after <= step.until && step.until <= trend.until);
            assert!(trend.since >= step.after, "a line crosses a step: {step:?} {trend:?}");
        }
    }
    Ok(())
}

/// Mostly of a clock that is about right, seconds after the last one.
fn observation(from: &mut Unstructured<'_>, last: MonotonicInstant) -> Result<Observation> {
    let gap = Duration::from_nanos(u64::from(from.arbitrary::<u16>()?) << from.int_in_range(0..=32)?);
    let at = if from.ratio(1, 32)? { last - gap } else { last + gap };
    let lower = i128::from(from.arbitrary::<i16>()?) << from.int_in_range(0..=80)?;
    let width = i128::from(from.arbitrary::<u8>()?) << from.int_in_range(0..=80)?;
    Ok(Observation {
        at,
        offset: Interval::new(Offset::from_nanos(lower), Offset::from_nanos(lower + width)),
    })
}

/// What a trend says of the future agrees with itself.
fn foresee(from: &mut Unstructured<'_>, trend: &Trend, ppm: u32) -> Result<()> {
    let possible = DriftRate::from_ppb(i64::from(ppm) * 1_000);
    assert!(trend.drift().is_within(&Interval::new(-possible, possible)));
    let limit = Duration::from_nanos(u64::from(from.arbitrary::<u16>()?) << from.int_in_range(0..=47)?);
    let limits = Limits { max_offset: limit, warn_offset: None };
    let verdict_at = |at: MonotonicInstant| limits.verdict(&trend.offset_after(at.since(trend.until)));
    match trend.forecast(limit) {
        Forecast::Never => assert_eq!(verdict_at(trend.until), Verdict::InSync),
        Forecast::NotBefore(at) => assert!(at == trend.until || verdict_at(at) == Verdict::InSync),
        Forecast::Within(when) => {
            let (earliest, latest) = (when.earliest(), when.latest());
            assert!(earliest == trend.until || verdict_at(earliest) == Verdict::InSync);
            let offset = trend.offset_after(latest.since(trend.until));
            let limit = limit.as_nanos().cast_signed();
            assert!(offset.earliest().as_nanos() >= limit || offset.latest().as_nanos() <= -limit);
        }
    }
    Ok(())
}
