//! Round values of a length of time, with their labels.

/// A value in nanoseconds, and how it is called.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) at: f64,
    pub(super) label: String,
}

/// Units, and from which size on they are used, in nanoseconds. A year has 365 days.
const UNITS: [(&str, f64, f64); 8] = [
    ("y", 3.1536e16, 6.3072e16),
    ("d", 8.64e13, 1.728e14),
    ("h", 3.6e12, 7.2e12),
    ("min", 6e10, 1.2e11),
    ("s", 1e9, 1e9),
    ("ms", 1e6, 1e6),
    ("µs", 1e3, 1e3),
    ("ns", 1.0, 0.0),
];

/// Round values from one to another, at most so many and one more. Each has a sign, unless none is negative.
pub(super) fn ticks(low: f64, high: f64, most: u32) -> Vec<Tick> {
    let size = low.abs().max(high.abs());
    let unit = UNITS.iter().find(|(_, _, from)| size >= *from).unwrap_or(&UNITS[UNITS.len() - 1]);
    let (name, nanos, _) = unit;
    let (step, decimals) = step((high - low) / nanos / f64::from(most.max(1)));
    let first = (low / nanos / step).ceil();
    let is_signed = low < 0.0;
    (0..=most)
        .map(|nth| (first + f64::from(nth)) * step)
        .take_while(|value| value * nanos <= high)
        .map(|value| {
            let is_zero = value.abs() < step / 2.0;
            let label = match is_signed {
                _ if is_zero => "0".to_owned(),
                true => format!("{value:+.decimals$} {name}"),
                false => format!("{value:.decimals$} {name}"),
            };
            Tick { at: if is_zero { 0.0 } else { value * nanos }, label }
        })
        .collect()
}

/// The least of 1, 2 and 5 times a power of ten that is not less, and its decimals.
fn step(least: f64) -> (f64, usize) {
    let power = least.max(1e-6).log10().floor();
    let base = 10_f64.powf(power);
    let (step, power) = [1.0, 2.0, 5.0]
        .into_iter()
        .map(|times| (times * base, power))
        .find(|(step, _)| *step >= least * (1.0 - 1e-9))
        .unwrap_or((10.0 * base, power + 1.0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 6")]
    let decimals = (-power).clamp(0.0, 6.0) as usize;
    (step, decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, most: u32) -> String {
        ticks(low, high, most).into_iter().map(|tick| tick.label).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn values_are_round_and_have_the_unit_that_fits() {
        assert_eq!(labels(-1.2e6, 2.4e6, 4), "-1 ms, 0, +1 ms, +2 ms");
        assert_eq!(labels(-1.1e9, 1.1e9, 5), "-1.0 s, -0.5 s, 0, +0.5 s, +1.0 s");
        assert_eq!(labels(0.0, 735_000.0, 4), "0, 200 µs, 400 µs, 600 µs");
        assert_eq!(labels(-3.7e12, 1e9, 4), "-60 min, -40 min, -20 min, 0");
        assert_eq!(labels(-10.0, 20.0, 4), "-10 ns, 0, +10 ns, +20 ns");
        assert_eq!(labels(-1.0, 1.6e19, 4), "0, +200 y, +400 y");
    }
}
