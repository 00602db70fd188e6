//! The seeds, and whatever a fuzzer once found, through every target: on a stable toolchain and without a fuzzer.

use std::fs;
use std::path::Path;

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 25] = [
    ("age", fuzz::age),
    ("certificate", fuzz::certificate),
    ("drift", fuzz::drift),
    ("head_repair", fuzz::head_repair),
    ("nowd_clock_bound", fuzz::nowd_clock_bound),
    ("nowd_coding", fuzz::nowd_coding),
    ("nowd_ecs_metadata", fuzz::nowd_ecs_metadata),
    ("nowd_fast_path", fuzz::nowd_fast_path),
    ("nowd_host", fuzz::nowd_host),
    ("nowd_query", fuzz::nowd_query),
    ("nowd_request", fuzz::nowd_request),
    ("nowd_request_line", fuzz::nowd_request_line),
    ("nowd_scrape", fuzz::nowd_scrape),
    ("nowd_trace", fuzz::nowd_trace),
    ("nowd_zone", fuzz::nowd_zone),
    ("overrides", fuzz::overrides),
    ("plan", fuzz::plan),
    ("schedule", fuzz::schedule),
    ("server_time", fuzz::server_time),
    ("sntp_packet", fuzz::sntp_packet),
    ("target", fuzz::target),
    ("time_pattern", fuzz::time_pattern),
    ("time_text", fuzz::time_text),
    ("vote", fuzz::vote),
    ("watch_config", fuzz::watch_config),
];

fn names_in(directory: &str) -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut names: Vec<String> = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_seed_is_withstood_whole_cut_off_and_with_a_byte_changed() {
    for (name, target) in TARGETS {
        let directory = format!("seeds/{name}");
        let seeds = names_in(&directory);
        assert!(seeds.len() >= 3, "{name} has too few seeds");
        for seed in seeds {
            let bytes = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(&directory).join(&seed)).unwrap();
            println!("{name}/{seed}");
            target(&bytes);
            for at in 0..bytes.len().min(512) {
                target(&bytes[..at]);
                for change in [0x01, 0x20, 0x80, 0xff] {
                    let mut changed = bytes.clone();
                    changed[at] ^= change;
                    target(&changed);
                }
            }
        }
    }
}

#[test]
fn every_target_is_searched_and_has_its_seeds_replayed() {
    let names: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut programs = names_in("fuzz_targets");
    for program in &mut programs {
        *program = program.trim_end_matches(".rs").to_owned();
    }
    programs.sort();
    assert_eq!(programs, names);
    assert_eq!(names_in("seeds"), names);
}
