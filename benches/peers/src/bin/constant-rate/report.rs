use hdrhistogram::Histogram;

use crate::generator::Measured;

/// Parts of a curve's decade, where a decade ends at 90 %, 99 %, 99.9 % and so on.
const STEPS: i32 = 8;

/// One object; times in microseconds.
pub fn json(measured: &Measured) -> String {
    let Measured { latencies, lateness, took } = measured;
    let percentiles: Vec<_> = ["50", "90", "99", "99.9", "99.99"]
        .iter()
        .map(|name| format!("\"{name}\": {}", at(latencies, name.parse::<f64>().unwrap_or_default() / 100.0)))
        .collect();
    let curve: Vec<_> = (0..=4 * STEPS)
        .map(|step| 1.0 - 10_f64.powf(-f64::from(step) / f64::from(STEPS)))
        .map(|share| format!("[{share:.6}, {}]", at(latencies, share)))
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "the count is far below 2^52")]
    let rate = latencies.len() as f64 / took.as_secs_f64().max(f64::MIN_POSITIVE);
    format!(
        "{{\"requests\": {}, \"rate\": {rate:.1}, \"percentiles\": {{{}}}, \"max\": {}, \"generator_late_p99\": {}, \
         \"curve\": [{}]}}",
        latencies.len(),
        percentiles.join(", "),
        microseconds(latencies.max()),
        at(lateness, 0.99),
        curve.join(", "),
    )
}

fn at(histogram: &Histogram<u64>, share: f64) -> String {
    microseconds(histogram.value_at_quantile(share))
}

fn microseconds(nanoseconds: u64) -> String {
    format!("{}.{:03}", nanoseconds / 1_000, nanoseconds % 1_000)
}
