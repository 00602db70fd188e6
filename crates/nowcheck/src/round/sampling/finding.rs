//! What all that came from one address proves.

use clock_offset::{Conclusion, JudgedBackend, NotAClock, Pace, Sample};

use super::{Interruption, Sampling};
use crate::outcome::{
    BackendOutcome, CertificateOutcome, Failure, Finding, NotATime, Spread, Stale, TargetOutcome,
};
use crate::probe::certificate_validity::Certificate;
use crate::round::reading;

impl Sampling<'_> {
    /// What all that came proves.
    pub(super) fn into_outcome(self, ended: Result<(), Interruption>) -> TargetOutcome {
        let conclusion = self.plan.conclusion();
        let now = self.round.reference.at(self.round.clock.now()).shows.earliest();
        let finding = self.finding(self.excused(ended, &conclusion), &conclusion);
        let answered = !conclusion.backends.is_empty();
        TargetOutcome {
            url: self.target.to_string(),
            address: Some(self.address),
            phases: self.phases,
            http_status: self.http_status,
            certificate: self
                .certificate
                .map(|Certificate { expires_at }| CertificateOutcome { expires_at, left: expires_at - now }),
            connections: self.connections,
            requests: self.requests,
            discarded: self.discarded,
            miss_probability: (answered && conclusion.backends_are_counted)
                .then_some(conclusion.miss_probability),
            notes: self.notes(&conclusion, &finding, now),
            finding,
        }
    }

    /// What ended the sampling, without what a pause of this program is to blame for.
    fn excused(&self, ended: Result<(), Interruption>, conclusion: &Conclusion) -> Result<(), Interruption> {
        match self.round.pause() {
            // An old answer is one whenever it was read, and leaves nothing open.
            Some(pause) if conclusion.standstill.is_none() => {
                let wait = self.plan.samples().last().map(Sample::round_trip);
                let worst = conclusion.backends.iter().map(|judged| judged.verdict).max();
                pause.excuses(ended, worst, wait)
            }
            _ => ended,
        }
    }

    fn finding(&self, ended: Result<(), Interruption>, conclusion: &Conclusion) -> Finding {
        let backends = || conclusion.backends.iter().map(|judged| self.backend(judged)).collect();
        match (ended, conclusion.standstill) {
            (Err(Interruption::Failed(failure)), _) => Finding::of_failure(failure, backends()),
            (Err(Interruption::Limited(failure)), None) => {
                Finding::of_limit(failure, backends(), conclusion.gentleness.broken_backend_is_ruled_out)
            }
            (Err(Interruption::Cached { seconds }), _) => Finding::Stale(Stale::Age { seconds }),
            (_, Some(still)) => Finding::Stale(Stale::Standstill { elapsed: still.elapsed }),
            (Ok(()), None) => match self.no_clocks(conclusion) {
                Some(failure) => Finding::of_failure(failure, Vec::new()),
                None => Finding::of_backends(backends()),
            },
        }
    }

    /// What is wrong with answers that cannot be readings of clocks.
    fn no_clocks(&self, conclusion: &Conclusion) -> Option<Failure> {
        let why = match conclusion.not_a_clock? {
            NotAClock::Pace(pace) => NotATime::OtherSpeed { per_mille: per_mille(&pace) },
            NotAClock::NoTwoAgree => NotATime::NoTwoAgree,
        };
        let answer = self.latest.as_ref()?;
        Some(reading::failure(answer, self.round.not_a_time(answer, why)))
    }

    fn backend(&self, judged: &JudgedBackend) -> BackendOutcome {
        let samples = &judged.backend.samples;
        BackendOutcome {
            instance: judged.backend.instance.clone(),
            verdict: judged.verdict,
            offset: judged.offset,
            tick: judged.backend.tick,
            step: samples
                .iter()
                .map(|&index| self.plan.samples()[index].reading.step)
                .min()
                .unwrap_or_default(),
            samples: samples.len(),
            round_trip: Spread::of(samples.iter().map(|&index| self.plan.samples()[index].round_trip())),
            clock: samples.last().and_then(|&index| self.clocks[index].clone()),
        }
    }
}

/// The speed of readings in thousandths of that of time: a power of ten when it may be one, otherwise the middle.
fn per_mille(pace: &Pace) -> i64 {
    let mut powers = (4..=12).map(|power| 10_i64.pow(power));
    #[expect(clippy::cast_precision_loss, reason = "powers of ten that a float holds exactly")]
    let is_it = |power: &i64| (pace.at_least..=pace.at_most).contains(&(*power as f64 / 1_000.0));
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and is shown as about that")]
    powers.find(is_it).unwrap_or((pace.at_least.midpoint(pace.at_most) * 1_000.0) as i64)
}
