use super::*;

fn parse(arguments: &[&str]) -> Result<Command, String> {
    let arguments = std::iter::once("nowd").chain(arguments.iter().copied());
    Cli::try_parse_from(arguments).and_then(Command::try_from).map_err(|error| error.to_string())
}

fn serve(arguments: &[&str]) -> Settings {
    match parse(arguments).unwrap() {
        Command::Serve(settings) => settings,
        other @ Command::Healthcheck(_) => panic!("{other:?}"),
    }
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

/// Every flag with the name of its value, which clap's own synopsis leaves out.
fn synopsis(command: &clap::Command) -> String {
    let flags = command.get_opts().filter_map(|flag| {
        let name = roff(flag.get_long()?);
        let values = flag.get_value_names().filter(|_| flag.get_action().takes_values()).unwrap_or_default();
        let values: Vec<String> = values.iter().map(|value| format!(" \\fI{}\\fR", roff(value))).collect();
        let values = values.concat();
        Some(format!("[\\fB\\-\\-{name}\\fR{values}]"))
    });
    let flags: Vec<String> = flags.collect();
    format!("\\fBnowd\\fR {}\n.br\n\\fBnowd healthcheck\\fR [\\fB\\-\\-ready\\fR]", flags.join(" "))
}

/// Text as roff reads it.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// The man page: clap's own sections, and what follows the help as sections of its own.
fn man_page() -> std::io::Result<String> {
    use std::io::Write as _;
    // A page that is checked in cannot name the commit.
    let man = clap_mangen::Man::new(Cli::command().version(env!("CARGO_PKG_VERSION"))).date("");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    writeln!(page, ".SH SYNOPSIS\n{}", synopsis(&Cli::command()))?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    writeln!(page, ".SH COMMANDS")?;
    for command in Cli::command().get_subcommands() {
        let about = command.get_long_about().or(command.get_about()).unwrap_or_default();
        writeln!(page, ".TP\n\\fB{}\\fR\n{about}", command.get_name())?;
    }
    for section in AFTER_HELP.split("\n\n") {
        let (title, lines) = section.split_once(":\n").unwrap_or(("NOTES", section));
        writeln!(page, ".SH {}\n.nf\n{}\n.fi", title.to_uppercase(), roff(lines))?;
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}

#[test]
fn the_man_page_is_up_to_date() {
    // UPDATE_EXPECT=1 writes it anew.
    expect_test::expect_file!["../../../../../docs/man/nowd.1"].assert_eq(&man_page().unwrap());
}

#[test]
fn the_completions_are_up_to_date() {
    use clap_complete::Shell;
    use expect_test::{ExpectFile, expect_file};
    // UPDATE_EXPECT=1 writes them anew.
    let files: [(Shell, ExpectFile); 3] = [
        (Shell::Bash, expect_file!["../../../../../contrib/completions/nowd.bash"]),
        (Shell::Zsh, expect_file!["../../../../../contrib/completions/nowd.zsh"]),
        (Shell::Fish, expect_file!["../../../../../contrib/completions/nowd.fish"]),
    ];
    for (shell, file) in files {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "nowd", &mut script);
        file.assert_eq(&String::from_utf8(script).unwrap());
    }
}

#[test]
fn every_flag_arrives_in_the_settings() {
    let settings = serve(&[
        "--listen=127.0.0.1:1, [::1]:2",
        "--listen=127.0.0.2:3",
        "--threads=3",
        "--admin-listen=127.0.0.1:9",
        "--max-connections=5",
        "--max-head-bytes=10000",
        "--max-headers=20",
        "--head-timeout=3s",
        "--idle-timeout=2m",
        "--max-clock-error=50ms",
        "--clock-bound=/var/run/clockbound/shm0",
        "--drain-delay=1m 30s",
        "--log=json",
        "--access-log",
        "--metrics=emf",
        "--metrics-environment=staging",
    ]);
    let expected = Settings {
        listen: ["127.0.0.1:1", "[::1]:2", "127.0.0.2:3"].map(|a| a.parse().unwrap()).to_vec(),
        threads: 3,
        admin_listen: Some("127.0.0.1:9".parse().unwrap()),
        limits: ClientLimits {
            connections: 5,
            head_bytes: 10_000,
            headers: 20,
            head_seconds: 3,
            idle_seconds: 120,
        },
        max_clock_error: Some(Duration::from_millis(50)),
        clock_source: ClockSource::ClockBound("/var/run/clockbound/shm0".into()),
        drain_delay: Duration::from_secs(90),
        log: LogFormat::Json,
        access_log: true,
        metrics: Some("staging".to_owned()),
    };
    assert_eq!(settings, expected);
    let usual = serve(&[]);
    assert_eq!((usual.metrics, usual.admin_listen, usual.access_log), (None, None, false));
    let limits = usual.limits;
    assert_eq!((limits.connections, limits.head_bytes, limits.headers), (10_000, 16_384, 100));
    assert_eq!((limits.head_seconds, limits.idle_seconds), (10, 75));
}

#[test]
fn the_source_of_the_bound_is_chosen_by_name_or_by_the_path_of_clock_bound() {
    let path = "--clock-bound=/x";
    for (arguments, expected) in [
        (&[][..], ClockSource::Kernel),
        (&["--clock-source=kernel"], ClockSource::Kernel),
        (&[path], ClockSource::ClockBound("/x".into())),
        (&["--clock-source=clock-bound", path], ClockSource::ClockBound("/x".into())),
        (&["--clock-source=clock-bound"], ClockSource::ClockBound("/var/run/clockbound".into())),
        (&["--clock-source=ecs-metadata"], ClockSource::EcsMetadata),
    ] {
        assert_eq!(serve(arguments).clock_source, expected, "{arguments:?}");
    }
    for name in ["--clock-source=kernel", "--clock-source=ecs-metadata"] {
        let error = parse(&[name, path]).unwrap_err();
        assert!(error.contains("needs '--clock-source clock-bound'"), "{error}");
    }
}

#[test]
fn a_value_that_is_not_understood_is_answered_with_one_that_would_be() {
    for (arguments, advice) in [
        (["--listen", "80800"], "ports go from 1 to 65535"),
        (["--listen", "127.0.0.1:80,"], "such as 8080, 0.0.0.0:8080 or [::]:8080"),
        (["--listen", "localhost:8080"], "such as 8080, 0.0.0.0:8080 or [::]:8080"),
        (["--drain-delay", "5 apples"], "such as 50ms, 5s or 1m 30s"),
        (["--max-clock-error", "soon"], "such as 50ms, 5s or 1m 30s"),
        (["--threads", "0"], "1..=1024"),
        (["--admin-listen", "::9090"], "such as 8080, 0.0.0.0:8080 or [::]:8080"),
        (["--max-connections", "0"], "1..=1000000"),
        (["--max-head-bytes", "100"], "8192..=1048576"),
        (["--max-headers", "1"], "16..=1000"),
        (["--head-timeout", "0s"], "from 1s to 1h, such as 75s"),
        (["--head-timeout", "2h"], "from 1s to 1h, such as 75s"),
        (["--idle-timeout", "1500ms"], "from 1s to 1h, such as 75s"),
        (["--log", "xml"], "text, json"),
        (["--clock-source", "ntp"], "kernel, clock-bound, ecs-metadata"),
        (["--metrics-environment", ""], "such as staging"),
        (["--metrics-environment", "a\nb"], "such as staging"),
    ] {
        let error = parse(&arguments).unwrap_err();
        assert!(error.contains(advice) && error.contains(arguments[0]), "{error}");
    }
}

#[test]
fn the_health_check_takes_its_address_before_or_after_its_name() {
    let expected = |checks_readiness| {
        Command::Healthcheck(Healthcheck {
            addresses: vec!["127.0.0.1:9".parse().unwrap()],
            checks_readiness,
        })
    };
    assert_eq!(parse(&["healthcheck", "--listen", "127.0.0.1:9"]).unwrap(), expected(false));
    assert_eq!(parse(&["--listen", "127.0.0.1:9", "healthcheck", "--ready"]).unwrap(), expected(true));
}
