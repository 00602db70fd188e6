use std::num::NonZeroUsize;
use std::time::Duration;

use super::*;
use crate::answer::{Field, TimeSelector};
use crate::probe::address_overrides::AddressOverrides;
use crate::time_format::Format;

fn check() -> CheckBuilder {
    Check::of(["http://time.example"])
}

fn sources(texts: &[&str]) -> Vec<ReferenceSource> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn addresses(texts: &[&str]) -> AddressOverrides {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn a_value_that_makes_no_sense_is_rejected_by_its_name() {
    let second = Duration::from_secs(1);
    for (builder, error) in [
        (Check::of([""; 0]), CheckError::NoUrl),
        (check().warn_offset(Some(second)), CheckError::WarnOffsetNotBelowMaximum),
        (check().timeout(Duration::ZERO), CheckError::Timeout),
        (check().timeout(Duration::MAX), CheckError::Timeout),
        (check().max_offset(Duration::MAX), CheckError::TooLong),
        (check().requests_per_connection(0), CheckError::Requests),
        (check().requests_per_connection(u32::MAX), CheckError::Requests),
        (check().expected_backends(NonZeroUsize::new(101)), CheckError::TooManyBackends),
        (check().miss_probability(0.0), CheckError::MissProbability),
        (check().miss_probability(f64::NAN), CheckError::MissProbability),
        (check().references(Vec::new()), CheckError::NoReference),
        (
            check().references(sources(&["ntp:a.example", "ntp:a.example:123"])),
            CheckError::DuplicateReference("ntp:a.example".parse().unwrap()),
        ),
        (
            check().addresses(addresses(&["other.example:192.0.2.1"])),
            CheckError::UnusedAddress { host: "other.example".to_owned() },
        ),
    ] {
        assert_eq!(builder.build().unwrap_err(), error);
    }
    assert!(matches!(Check::of(["ftp://time.example"]).build(), Err(CheckError::Url(_))));
    assert!(check().warn_offset(Some(second / 2)).build().is_ok());
}

#[test]
fn an_address_may_be_that_of_a_url_of_a_reference_or_of_a_redirect() {
    let of_a_reference = check()
        .references(sources(&["ntp:a.example"]))
        .addresses(addresses(&["a.example:192.0.2.1"]))
        .build();
    assert!(of_a_reference.is_ok());
    let of_a_redirect = check().addresses(addresses(&["other.example:192.0.2.1"])).follow(true);
    assert!(of_a_redirect.build().is_ok());
    let both = addresses(&["TIME.example:[::1]", "time.example:127.0.0.1"]);
    assert!(check().addresses(both).build().is_ok());
}

#[test]
fn a_url_without_a_path_is_the_root_where_a_header_is_read_and_now_otherwise() {
    let time = TimeSelector {
        field: Field::Header(http::header::DATE),
        notation: Format::Auto.into(),
        date_cache: Duration::ZERO,
    };
    assert_eq!(check().time(time).build().unwrap().targets()[0].to_string(), "http://time.example/");
    assert_eq!(check().build().unwrap().targets()[0].to_string(), "http://time.example/now");
}

#[test]
fn checks_that_differ_in_what_they_trust_ask_the_same() {
    let one = check().build().unwrap();
    let trusting = check().trust(Trust::of_this_machine().without_verification()).build().unwrap();
    assert!(one.asks_the_same_as(&trusting));
    for other in [
        Check::of(["http://time.example/other"]),
        check().max_offset(Duration::from_secs(2)),
        check().references(sources(&["ntp:a.example"])),
        check().strict(true),
        check().miss_probability(0.02),
        check().follow(true),
    ] {
        assert!(!one.asks_the_same_as(&other.build().unwrap()));
    }
}
