//! How likely it is that a broken backend explains failures.

/// The smallest share of broken backends that is looked for: one of eight.
const LEAST_BROKEN_SHARE: f64 = 0.125;

/// How many answers in a row, after at least `failures` of `attempts` connections failed, rule out with the probability
/// 1 − `doubt` that a broken backend is the cause.
///
/// A balancer leads each connection to a broken backend with the same probability q, an eighth or more. The chance of what
/// was seen is P(X ≥ failures) · (1 − q)ⁿ then, where X is binomial, and must not be more than `doubt` for any q. With a
/// round-robin balancer it is smaller, because that leads to each backend in turn.
pub(super) fn answers_needed(attempts: u32, failures: u32, doubt: f64) -> u32 {
    let needed = |share: f64| {
        let tail = upper_tail(attempts, failures, share);
        if tail <= doubt { 0.0 } else { ((doubt / tail).ln() / (1.0 - share).ln()).ceil() }
    };
    let shares = (0..56_u32).map(|step| LEAST_BROKEN_SHARE + f64::from(step) / 64.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small count, and not negative"
    )]
    let answers = shares.map(needed).fold(0.0, f64::max) as u32;
    answers
}

/// The chance that at least `failures` of `attempts` independent connections fail, each with the probability `share`.
fn upper_tail(attempts: u32, failures: u32, share: f64) -> f64 {
    let mut term = (1.0 - share).powf(f64::from(attempts));
    let mut fewer = 0.0;
    for i in 0..failures.min(attempts + 1) {
        fewer += term;
        term *= f64::from(attempts - i) / f64::from(i + 1) * share / (1.0 - share);
    }
    (1.0 - fewer).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_connections_failed_beside_each_other_the_less_likely_is_one_broken_backend() {
        let needed = |failures| answers_needed(8, failures, 0.01);
        assert!((1..7).all(|failures| needed(failures) >= needed(failures + 1)));
        // One of eight: P(X ≥ 1) · (7/8)ⁿ = 0.66 · (7/8)ⁿ ≤ 0.01.
        assert_eq!(needed(1), 32);
        assert_eq!(needed(7), 3);
    }

    #[test]
    fn the_tail_of_the_binomial_distribution_is_what_textbooks_say() {
        for (attempts, failures, share, tail) in [
            (1, 1, 0.25, 0.25),
            (2, 1, 0.5, 0.75),
            (8, 0, 0.3, 1.0),
            (4, 4, 0.5, 0.0625),
            (10, 3, 0.2, 0.3222),
        ] {
            assert!(
                (upper_tail(attempts, failures, share) - tail).abs() < 1e-4,
                "{attempts} {failures} {share}"
            );
        }
    }
}
