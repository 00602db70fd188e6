//! Metrics in the text formats of `OpenMetrics` and Prometheus.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit as TextUnit};

use super::{Family, Histogram, Labels, Sample, Samples, Unit};

/// The format of `OpenMetrics` 1.0.
pub(crate) fn open_metrics(families: Vec<Family>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Families(families)));
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = encode(&mut text, &registry);
    text
}

/// The format of Prometheus 0.0.4.
pub(crate) fn prometheus(families: Vec<Family>) -> String {
    classic(&open_metrics(families))
}

/// The older format: a counter or an info is described by the name of its series, and there is no end mark, no unit and no info.
fn classic(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("EOF" | "UNIT"), ..) => {}
            (Some("#"), Some("TYPE"), Some(name), Some(kind @ ("counter" | "info"))) => {
                let (suffix, kind) = if kind == "counter" { ("total", kind) } else { ("info", "gauge") };
                let help = format!("# HELP {name} ");
                // The line before is its description.
                if let Some(line) = lines.pop_if(|last: &mut String| last.starts_with(&help)) {
                    lines.push(line.replacen(&help, &format!("# HELP {name}_{suffix} "), 1));
                }
                lines.push(format!("# TYPE {name}_{suffix} {kind}"));
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n") + "\n"
}

/// What the encoder of the format takes.
#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|family| encode_family(family, &mut encoder))
    }
}

fn encode_family(family: &Family, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let kind = match family.samples {
        Samples::Gauge(_) => MetricType::Gauge,
        Samples::Counter(_) => MetricType::Counter,
        Samples::Histogram(_) => MetricType::Histogram,
        Samples::Info(_) => MetricType::Info,
    };
    let unit = family.unit.map(|unit| match unit {
        Unit::Seconds => TextUnit::Seconds,
        // The library's own is a plural, which nobody uses.
        Unit::Ratio => TextUnit::Other("ratio".to_owned()),
    });
    let mut described = encoder.encode_descriptor(family.name, family.help, unit.as_ref(), kind)?;
    match &family.samples {
        // Without labels there are no braces.
        Samples::Gauge(one)
            if let [Sample { labels, value }] = &one[..]
                && labels.all().next().is_none() =>
        {
            ConstGauge::new(*value).encode(described)
        }
        Samples::Counter(one)
            if let [Sample { labels, value }] = &one[..]
                && labels.all().next().is_none() =>
        {
            ConstCounter::new(value.value).encode(described)
        }
        Samples::Gauge(samples) => samples.iter().try_for_each(|sample| {
            ConstGauge::new(sample.value).encode(described.encode_family(&pairs(&sample.labels))?)
        }),
        Samples::Counter(samples) => samples.iter().try_for_each(|sample| {
            ConstCounter::new(sample.value.value).encode(described.encode_family(&pairs(&sample.labels))?)
        }),
        Samples::Histogram(samples) => samples.iter().try_for_each(|sample| {
            let Histogram { limits, counts, sum } = &sample.value.value;
            let limits = limits.iter().copied().chain([f64::INFINITY]);
            let classes: Vec<(f64, u64)> = limits.zip(counts.iter().copied()).collect();
            let count = counts.iter().sum();
            described
                .encode_family(&pairs(&sample.labels))?
                .encode_histogram::<NoLabelSet>(*sum, count, &classes, None)
        }),
        Samples::Info(labels) => described.encode_info(&pairs(labels)),
    }
}

fn pairs(labels: &Labels) -> Vec<(&str, &str)> {
    labels.all().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::metrics::Counted;

    /// Name, labels, value.
    type Read = (String, Vec<(String, String)>, String);

    /// The samples of a text as a reader of the format sees them.
    fn samples(text: &str) -> BTreeSet<Read> {
        let lines = text.split('\n').filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines
            .map(|line| {
                let begin = line.find(['{', ' ']).unwrap();
                let (name, mut rest) = line.split_at(begin);
                let mut labels = Vec::new();
                while !rest.starts_with(['}', ' ']) {
                    let (label, after) = rest[1..].split_once("=\"").unwrap();
                    let (value, after) = unescaped(after);
                    labels.push((label.to_owned(), value));
                    rest = after;
                }
                let value = rest.trim_start_matches('}').strip_prefix(' ').unwrap();
                (name.to_owned(), labels, value.to_owned())
            })
            .collect()
    }

    /// A value up to its closing quote, and what follows.
    fn unescaped(text: &str) -> (String, &str) {
        let (mut value, mut is_escaped) = (String::new(), false);
        for (at, one) in text.char_indices() {
            match (is_escaped, one) {
                (false, '"') => return (value, &text[at + 1..]),
                (false, '\\') => is_escaped = true,
                (true, 'n') => {
                    value.push('\n');
                    is_escaped = false;
                }
                (_, other) => {
                    value.push(other);
                    is_escaped = false;
                }
            }
        }
        panic!("the quote is not closed in {text:?}");
    }

    /// What breaks lines, quotes and escapes, and looks like parts of the format.
    fn hostile() -> impl Strategy<Value = String> {
        let parts = prop::sample::select(vec![
            "\"",
            "\\",
            "\n",
            "\r",
            "\r\n",
            "\\n",
            "}",
            "{",
            "# EOF",
            "\n# EOF\n",
            "# TYPE a counter",
            "=\"",
            ",",
            " 1 ",
            "\0",
            "\u{2028}",
            "\u{1b}[31m",
            "ä",
            "",
        ]);
        prop::collection::vec(prop_oneof![parts.prop_map(str::to_owned), any::<String>()], 0..6)
            .prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn whatever_names_and_texts_are_a_reader_gets_them_back(check in hostile(), team in hostile(), reason in hostile()) {
            let own = vec![("check".to_owned(), check.clone()), ("team".to_owned(), team.clone())];
            let labels = Labels { check: own, further: vec![("reason", reason.clone().into())] };
            let counted = Counted { since: Timestamp::UNIX_EPOCH, value: 7 };
            let families = vec![
                Family::new("a", "A", None, Samples::Gauge(vec![Sample { labels: labels.clone(), value: 1.5 }])),
                Family::new("b", "B", None, Samples::Counter(vec![Sample { labels: labels.clone(), value: counted }])),
            ];
            let all: Vec<(String, String)> = [("check", check), ("team", team), ("reason", reason)]
                .map(|(name, value)| (name.to_owned(), value))
                .into();
            let expected: BTreeSet<_> = [
                ("a".to_owned(), all.clone(), "1.5".to_owned()),
                ("b_total".to_owned(), all, "7".to_owned()),
            ]
            .into();
            prop_assert_eq!(samples(&open_metrics(families.clone())), expected.clone());
            prop_assert_eq!(samples(&prometheus(families)), expected);
        }
    }

    #[test]
    fn the_older_format_names_counters_as_their_series_and_has_no_end_mark() {
        let text = "# HELP a Rounds.\n# TYPE a counter\na_total{x=\"# TYPE b counter\"} 1\n# HELP c_seconds Time.\n\
                    # TYPE c_seconds gauge\n# UNIT c_seconds seconds\nc_seconds 2.0\n# HELP d This.\n# TYPE d info\nd_info{v=\"1\"} 1\n# EOF\n";
        let expected = "# HELP a_total Rounds.\n# TYPE a_total counter\na_total{x=\"# TYPE b counter\"} 1\n\
                        # HELP c_seconds Time.\n# TYPE c_seconds gauge\nc_seconds 2.0\n# HELP d_info This.\n# TYPE d_info gauge\nd_info{v=\"1\"} 1\n";
        assert_eq!(classic(text), expected);
    }
}
