#compdef nowcheck

autoload -U is-at-least

_nowcheck() {
    typeset -A opt_args
    typeset -a _arguments_options
    local ret=1

    if is-at-least 5.2; then
        _arguments_options=(-s -S -C)
    else
        _arguments_options=(-s -C)
    fi

    local context curcontext="$curcontext" state line
    _arguments "${_arguments_options[@]}" : \
'-H+[Check this host (a name or an address) instead of a URL, as monitoring plugins do. See also --output nagios]:HOST:_default' \
'--hostname=[Check this host (a name or an address) instead of a URL, as monitoring plugins do. See also --output nagios]:HOST:_default' \
'-p+[The port of -H. Default\: 80, or 443 with -S]:PORT:_default' \
'--port=[The port of -H. Default\: 80, or 443 with -S]:PORT:_default' \
'-u+[The path on -H, with its query; \`/\` is the root. Default\: /now, or / with --field header\:NAME]:PATH:_default' \
'--url=[The path on -H, with its query; \`/\` is the root. Default\: /now, or / with --field header\:NAME]:PATH:_default' \
'*--resolve=[Check this address of HOST instead of the addresses in the DNS. Repeat it for several addresses]:HOST:ADDR:_default' \
'--ca-file=[Trust the certificate authorities in this PEM file too]:FILE:_files' \
'--cert=[Present this client certificate if the server asks for one (PEM, followed by the certificates of its authorities). It is not sent to another server after a redirect]:FILE:_files' \
'--key=[The private key of --cert (PEM, not encrypted)]:FILE:_files' \
'*--header=[Send this header with each request. Repeat it for several headers. It is not sent to another server after a redirect]:NAME: VALUE:_default' \
'--user-file=[Read Basic credentials from this file\: one line, user\:password. They are not sent to another server after a redirect]:FILE:_files' \
'-c+[A clock that is off by more than this is CRITICAL. Exactly this is OK]:DURATION:_default' \
'--max-offset=[A clock that is off by more than this is CRITICAL. Exactly this is OK]:DURATION:_default' \
'--critical=[A clock that is off by more than this is CRITICAL. Exactly this is OK]:DURATION:_default' \
'-w+[A clock that is not proven to be within this is a WARNING]:DURATION:_default' \
'--warn-offset=[A clock that is not proven to be within this is a WARNING]:DURATION:_default' \
'--warning=[A clock that is not proven to be within this is a WARNING]:DURATION:_default' \
'--field=[Where the answer holds the time\: a member of the JSON body (\`a.b.c\`), a JSON Pointer (\`/a/b\`; empty for the whole document), \`header\:NAME\`, or \`body\`. Default\: nowd'\''s \`datetime\`, else \`current_time\`]:WHERE:_default' \
'--format=[The format of the time\: one of the names below, or a strptime pattern such as \`%d.%m.%Y %H\:%M\:%S\`]:FORMAT|PATTERN:((auto\:"Recognized by its look; Unix seconds, milliseconds, microseconds and nanoseconds by their size"
rfc3339\:"\`2026-11-23T20\:11\:51.123Z\`, and other dates in digits (ISO 8601)"
unix-s\:"Seconds since 1970, with or without a fraction"
unix-ms\:"Milliseconds since 1970"
unix-us\:"Microseconds since 1970"
unix-ns\:"Nanoseconds since 1970"
hms\:"\`20\:11\:51\`, a time of day; in UTC unless a zone is given"
http-date\:"\`Mon, 23 Nov 2026 20\:11\:51 GMT\`, and other dates with the name of a month"))' \
'--zone=[The time zone of times that do not state theirs, such as Europe/Madrid. In the hour that is repeated at the end of summer time, nowcheck takes the reading that is nearer to the reference]:NAME:_default' \
'--date-cache=[How long the server may keep sending an old \`Date\` header (with \`--field header\:date\`). Some servers renew it once a second. Use 0s if this server is known to renew it in time; otherwise it can hardly prove a limit of one second]:DURATION:_default' \
'*--reference=[Compare with this clock\: \`system\` (this machine'\''s clock) or \`ntp\:HOST\[\:PORT\]\` (a time server). Repeat it for several references. More than half of them have to agree, and a note names each one that does not. Time servers are queried in each round]:system|ntp:HOST[:PORT]:_default' \
'--expect-backends=[Fewer different instances than this behind a URL are CRITICAL. The answers have to name their \`instance\`]:N:_default' \
'--miss-probability=[Open new connections until the chance of having missed a backend is at most this]:P:_default' \
'--connections=[The most connections at a time. A service that accepts fewer gets fewer, down to one]:N:_default' \
'--samples=[Requests on each connection. More requests make the bound on the offset narrower. A service that is slow, or that limits requests, gets fewer]:N:_default' \
'-t+[The most that a whole round may take. A server that is silent for the last quarter of it counts as down. Default\: 10s, or 8s with --output nagios, because NRPE gives up after 10s]:DURATION:_default' \
'--timeout=[The most that a whole round may take. A server that is silent for the last quarter of it counts as down. Default\: 10s, or 8s with --output nagios, because NRPE gives up after 10s]:DURATION:_default' \
'--every=[Repeat forever, one round per DURATION. Ctrl-C prints a summary and exits with the worst status seen. At least 16s with time servers that may be somebody else'\''s]:DURATION:_default' \
'--output=[The output format]:OUTPUT:((human\:"For people"
json\:"One JSON object per round, on one line"
nagios\:"One line as monitoring plugins print it, with performance data"))' \
'-S[Connect to -H over TLS (https)]' \
'--ssl[Connect to -H over TLS (https)]' \
'--tls[Connect to -H over TLS (https)]' \
'(-6 --ipv6)-4[Use IPv4 addresses only, for URLs and references]' \
'(-6 --ipv6)--ipv4[Use IPv4 addresses only, for URLs and references]' \
'-6[Use IPv6 addresses only, for URLs and references]' \
'--ipv6[Use IPv6 addresses only, for URLs and references]' \
'--follow[Follow up to five redirects, and judge the service that they lead to]' \
'--insecure[Do not verify certificates. Anybody on the way can then answer instead of the server. A note says so]' \
'--strict[Take nothing on trust\: UNKNOWN if nothing vouches for this machine'\''s clock as the reference, or if no more than half of the references answered. --trust-system-clock does not change that]' \
'--trust-system-clock[Take this machine'\''s clock to be right, even if its kernel does not vouch for it. Use it too for a service on this machine, which has the same clock. If the kernel gives an error bound, that bound still counts]' \
'*-v[With --output nagios, print the details too, on further lines. The output for people always has them]' \
'*--verbose[With --output nagios, print the details too, on further lines. The output for people always has them]' \
'-q[Print nothing while the status is OK, for use from cron. With --every, print only the rounds that are not OK]' \
'--quiet[Print nothing while the status is OK, for use from cron. With --every, print only the rounds that are not OK]' \
'--ascii[Print ASCII only\: \`+/- 85 us\`. This is the default if the locale (\`LC_ALL\`, \`LC_CTYPE\`, \`LANG\`) is not UTF-8, except with --output json]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
'::urls -- The service to check. A host alone means http, and a URL without a path means /now (the root with `--field header\:NAME`). Every address of the name is checked. Credentials in `http\://USER\:PASSWORD@HOST` are sent as Basic authentication and never printed. --user-file keeps them out of the process list too:_default' \
":: :_nowcheck_commands" \
"*::: :->nowcheck" \
&& ret=0
    case $state in
    (nowcheck)
        words=($line[2] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:nowcheck-command-$line[2]:"
        case $line[2] in
            (check)
_arguments "${_arguments_options[@]}" : \
'-H+[Check this host (a name or an address) instead of a URL, as monitoring plugins do. See also --output nagios]:HOST:_default' \
'--hostname=[Check this host (a name or an address) instead of a URL, as monitoring plugins do. See also --output nagios]:HOST:_default' \
'-p+[The port of -H. Default\: 80, or 443 with -S]:PORT:_default' \
'--port=[The port of -H. Default\: 80, or 443 with -S]:PORT:_default' \
'-u+[The path on -H, with its query; \`/\` is the root. Default\: /now, or / with --field header\:NAME]:PATH:_default' \
'--url=[The path on -H, with its query; \`/\` is the root. Default\: /now, or / with --field header\:NAME]:PATH:_default' \
'*--resolve=[Check this address of HOST instead of the addresses in the DNS. Repeat it for several addresses]:HOST:ADDR:_default' \
'--ca-file=[Trust the certificate authorities in this PEM file too]:FILE:_files' \
'--cert=[Present this client certificate if the server asks for one (PEM, followed by the certificates of its authorities). It is not sent to another server after a redirect]:FILE:_files' \
'--key=[The private key of --cert (PEM, not encrypted)]:FILE:_files' \
'*--header=[Send this header with each request. Repeat it for several headers. It is not sent to another server after a redirect]:NAME: VALUE:_default' \
'--user-file=[Read Basic credentials from this file\: one line, user\:password. They are not sent to another server after a redirect]:FILE:_files' \
'-c+[A clock that is off by more than this is CRITICAL. Exactly this is OK]:DURATION:_default' \
'--max-offset=[A clock that is off by more than this is CRITICAL. Exactly this is OK]:DURATION:_default' \
'--critical=[A clock that is off by more than this is CRITICAL. Exactly this is OK]:DURATION:_default' \
'-w+[A clock that is not proven to be within this is a WARNING]:DURATION:_default' \
'--warn-offset=[A clock that is not proven to be within this is a WARNING]:DURATION:_default' \
'--warning=[A clock that is not proven to be within this is a WARNING]:DURATION:_default' \
'--field=[Where the answer holds the time\: a member of the JSON body (\`a.b.c\`), a JSON Pointer (\`/a/b\`; empty for the whole document), \`header\:NAME\`, or \`body\`. Default\: nowd'\''s \`datetime\`, else \`current_time\`]:WHERE:_default' \
'--format=[The format of the time\: one of the names below, or a strptime pattern such as \`%d.%m.%Y %H\:%M\:%S\`]:FORMAT|PATTERN:((auto\:"Recognized by its look; Unix seconds, milliseconds, microseconds and nanoseconds by their size"
rfc3339\:"\`2026-11-23T20\:11\:51.123Z\`, and other dates in digits (ISO 8601)"
unix-s\:"Seconds since 1970, with or without a fraction"
unix-ms\:"Milliseconds since 1970"
unix-us\:"Microseconds since 1970"
unix-ns\:"Nanoseconds since 1970"
hms\:"\`20\:11\:51\`, a time of day; in UTC unless a zone is given"
http-date\:"\`Mon, 23 Nov 2026 20\:11\:51 GMT\`, and other dates with the name of a month"))' \
'--zone=[The time zone of times that do not state theirs, such as Europe/Madrid. In the hour that is repeated at the end of summer time, nowcheck takes the reading that is nearer to the reference]:NAME:_default' \
'--date-cache=[How long the server may keep sending an old \`Date\` header (with \`--field header\:date\`). Some servers renew it once a second. Use 0s if this server is known to renew it in time; otherwise it can hardly prove a limit of one second]:DURATION:_default' \
'*--reference=[Compare with this clock\: \`system\` (this machine'\''s clock) or \`ntp\:HOST\[\:PORT\]\` (a time server). Repeat it for several references. More than half of them have to agree, and a note names each one that does not. Time servers are queried in each round]:system|ntp:HOST[:PORT]:_default' \
'--expect-backends=[Fewer different instances than this behind a URL are CRITICAL. The answers have to name their \`instance\`]:N:_default' \
'--miss-probability=[Open new connections until the chance of having missed a backend is at most this]:P:_default' \
'--connections=[The most connections at a time. A service that accepts fewer gets fewer, down to one]:N:_default' \
'--samples=[Requests on each connection. More requests make the bound on the offset narrower. A service that is slow, or that limits requests, gets fewer]:N:_default' \
'-t+[The most that a whole round may take. A server that is silent for the last quarter of it counts as down. Default\: 10s, or 8s with --output nagios, because NRPE gives up after 10s]:DURATION:_default' \
'--timeout=[The most that a whole round may take. A server that is silent for the last quarter of it counts as down. Default\: 10s, or 8s with --output nagios, because NRPE gives up after 10s]:DURATION:_default' \
'--every=[Repeat forever, one round per DURATION. Ctrl-C prints a summary and exits with the worst status seen. At least 16s with time servers that may be somebody else'\''s]:DURATION:_default' \
'--output=[The output format]:OUTPUT:((human\:"For people"
json\:"One JSON object per round, on one line"
nagios\:"One line as monitoring plugins print it, with performance data"))' \
'-S[Connect to -H over TLS (https)]' \
'--ssl[Connect to -H over TLS (https)]' \
'--tls[Connect to -H over TLS (https)]' \
'(-6 --ipv6)-4[Use IPv4 addresses only, for URLs and references]' \
'(-6 --ipv6)--ipv4[Use IPv4 addresses only, for URLs and references]' \
'-6[Use IPv6 addresses only, for URLs and references]' \
'--ipv6[Use IPv6 addresses only, for URLs and references]' \
'--follow[Follow up to five redirects, and judge the service that they lead to]' \
'--insecure[Do not verify certificates. Anybody on the way can then answer instead of the server. A note says so]' \
'--strict[Take nothing on trust\: UNKNOWN if nothing vouches for this machine'\''s clock as the reference, or if no more than half of the references answered. --trust-system-clock does not change that]' \
'--trust-system-clock[Take this machine'\''s clock to be right, even if its kernel does not vouch for it. Use it too for a service on this machine, which has the same clock. If the kernel gives an error bound, that bound still counts]' \
'*-v[With --output nagios, print the details too, on further lines. The output for people always has them]' \
'*--verbose[With --output nagios, print the details too, on further lines. The output for people always has them]' \
'-q[Print nothing while the status is OK, for use from cron. With --every, print only the rounds that are not OK]' \
'--quiet[Print nothing while the status is OK, for use from cron. With --every, print only the rounds that are not OK]' \
'--ascii[Print ASCII only\: \`+/- 85 us\`. This is the default if the locale (\`LC_ALL\`, \`LC_CTYPE\`, \`LANG\`) is not UTF-8, except with --output json]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::urls -- The service to check. A host alone means http, and a URL without a path means /now (the root with `--field header\:NAME`). Every address of the name is checked. Credentials in `http\://USER\:PASSWORD@HOST` are sent as Basic authentication and never printed. --user-file keeps them out of the process list too:_default' \
&& ret=0
;;
(watch)
_arguments "${_arguments_options[@]}" : \
'(--every --listen --history --trust-system-clock)--config=[Watch what this file lists. \`nowcheck config example\` prints one with every key. With \`env\:NAME\`, the text of the file is in the environment variable NAME]:FILE:_files' \
'--every=[Check each URL once per DURATION]:DURATION:_default' \
'--listen=[Serve the dashboard, the API and the metrics at this address]:ADDR:PORT:_default' \
'--history=[Keep the history in this file, or nowhere with \`none\`. Default\: nowcheck.db in \`\$STATE_DIRECTORY\`, \`\$XDG_STATE_HOME/nowcheck\` or \`~/.local/state/nowcheck\`]:FILE:_files' \
'--log=[The format of log lines]:LOG:((text\:"One line per change, for people"
json\:"One JSON object per line"))' \
'--trust-system-clock[Take this machine'\''s clock to be right, even if its kernel does not vouch for it]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::urls -- Watch these URLs with the default settings. Without any, the dashboard says how to begin:_default' \
&& ret=0
;;
(alert)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_nowcheck__subcmd__alert_commands" \
"*::: :->alert" \
&& ret=0

    case $state in
    (alert)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:nowcheck-alert-command-$line[1]:"
        case $line[1] in
            (test)
_arguments "${_arguments_options[@]}" : \
'--config=[The file that lists it, or env\:NAME]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
':name -- The name of the alert:_default' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_nowcheck__subcmd__alert__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:nowcheck-alert-help-command-$line[1]:"
        case $line[1] in
            (test)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
;;
(report)
_arguments "${_arguments_options[@]}" : \
'--history=[The history file. Default, as for \`nowcheck watch\`\: nowcheck.db in \`\$STATE_DIRECTORY\`, \`\$XDG_STATE_HOME/nowcheck\` or \`~/.local/state/nowcheck\`]:FILE:_files' \
'--check=[Report on this check only]:NAME:_default' \
'--since=[How far to look back, such as 12h, 7d, 4w or 1y]:DURATION:_default' \
'--output=[The format of the report, which goes to standard output]:OUTPUT:((html\:"A page that needs no network and can be printed"
svg\:"The plots as one drawing"
csv\:"One line for each check and period"
json\:"Everything as one object; its schema is contract/nowcheck-report.schema.json"))' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(config)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_nowcheck__subcmd__config_commands" \
"*::: :->config" \
&& ret=0

    case $state in
    (config)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:nowcheck-config-command-$line[1]:"
        case $line[1] in
            (check)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
':file -- The file, or env\:NAME:_files' \
&& ret=0
;;
(schema)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(example)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_nowcheck__subcmd__config__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:nowcheck-config-help-command-$line[1]:"
        case $line[1] in
            (check)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(schema)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(example)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_nowcheck__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:nowcheck-help-command-$line[1]:"
        case $line[1] in
            (check)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(watch)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(alert)
_arguments "${_arguments_options[@]}" : \
":: :_nowcheck__subcmd__help__subcmd__alert_commands" \
"*::: :->alert" \
&& ret=0

    case $state in
    (alert)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:nowcheck-help-alert-command-$line[1]:"
        case $line[1] in
            (test)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(report)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(config)
_arguments "${_arguments_options[@]}" : \
":: :_nowcheck__subcmd__help__subcmd__config_commands" \
"*::: :->config" \
&& ret=0

    case $state in
    (config)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:nowcheck-help-config-command-$line[1]:"
        case $line[1] in
            (check)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(schema)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(example)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
}

(( $+functions[_nowcheck_commands] )) ||
_nowcheck_commands() {
    local commands; commands=(
'check:Check once, or once per period with --every. This is the default without a command' \
'watch:Monitor services until stopped\: measure, store, show and alert' \
'alert:Send a test message to an alert receiver' \
'report:Report on the history as a page, a drawing, a table or JSON. It also works while the monitor runs' \
'config:Check a configuration file, or print an example or the schema' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'nowcheck commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__alert_commands] )) ||
_nowcheck__subcmd__alert_commands() {
    local commands; commands=(
'test:Send one test message and print the result. The exit code is 3 if the message was not accepted' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'nowcheck alert commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__alert__subcmd__help_commands] )) ||
_nowcheck__subcmd__alert__subcmd__help_commands() {
    local commands; commands=(
'test:Send one test message and print the result. The exit code is 3 if the message was not accepted' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'nowcheck alert help commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__alert__subcmd__help__subcmd__help_commands] )) ||
_nowcheck__subcmd__alert__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck alert help help commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__alert__subcmd__help__subcmd__test_commands] )) ||
_nowcheck__subcmd__alert__subcmd__help__subcmd__test_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck alert help test commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__alert__subcmd__test_commands] )) ||
_nowcheck__subcmd__alert__subcmd__test_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck alert test commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__check_commands] )) ||
_nowcheck__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck check commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__config_commands] )) ||
_nowcheck__subcmd__config_commands() {
    local commands; commands=(
'check:Check a file and print each error with its line. The exit code is 3 if there is an error' \
'schema:Print the JSON Schema of the file' \
'example:Print a commented file with every key' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'nowcheck config commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__config__subcmd__check_commands] )) ||
_nowcheck__subcmd__config__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck config check commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__config__subcmd__example_commands] )) ||
_nowcheck__subcmd__config__subcmd__example_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck config example commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__config__subcmd__help_commands] )) ||
_nowcheck__subcmd__config__subcmd__help_commands() {
    local commands; commands=(
'check:Check a file and print each error with its line. The exit code is 3 if there is an error' \
'schema:Print the JSON Schema of the file' \
'example:Print a commented file with every key' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'nowcheck config help commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__config__subcmd__help__subcmd__check_commands] )) ||
_nowcheck__subcmd__config__subcmd__help__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck config help check commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__config__subcmd__help__subcmd__example_commands] )) ||
_nowcheck__subcmd__config__subcmd__help__subcmd__example_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck config help example commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__config__subcmd__help__subcmd__help_commands] )) ||
_nowcheck__subcmd__config__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck config help help commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__config__subcmd__help__subcmd__schema_commands] )) ||
_nowcheck__subcmd__config__subcmd__help__subcmd__schema_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck config help schema commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__config__subcmd__schema_commands] )) ||
_nowcheck__subcmd__config__subcmd__schema_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck config schema commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__help_commands] )) ||
_nowcheck__subcmd__help_commands() {
    local commands; commands=(
'check:Check once, or once per period with --every. This is the default without a command' \
'watch:Monitor services until stopped\: measure, store, show and alert' \
'alert:Send a test message to an alert receiver' \
'report:Report on the history as a page, a drawing, a table or JSON. It also works while the monitor runs' \
'config:Check a configuration file, or print an example or the schema' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'nowcheck help commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__help__subcmd__alert_commands] )) ||
_nowcheck__subcmd__help__subcmd__alert_commands() {
    local commands; commands=(
'test:Send one test message and print the result. The exit code is 3 if the message was not accepted' \
    )
    _describe -t commands 'nowcheck help alert commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__help__subcmd__alert__subcmd__test_commands] )) ||
_nowcheck__subcmd__help__subcmd__alert__subcmd__test_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck help alert test commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__help__subcmd__check_commands] )) ||
_nowcheck__subcmd__help__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck help check commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__help__subcmd__config_commands] )) ||
_nowcheck__subcmd__help__subcmd__config_commands() {
    local commands; commands=(
'check:Check a file and print each error with its line. The exit code is 3 if there is an error' \
'schema:Print the JSON Schema of the file' \
'example:Print a commented file with every key' \
    )
    _describe -t commands 'nowcheck help config commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__help__subcmd__config__subcmd__check_commands] )) ||
_nowcheck__subcmd__help__subcmd__config__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck help config check commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__help__subcmd__config__subcmd__example_commands] )) ||
_nowcheck__subcmd__help__subcmd__config__subcmd__example_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck help config example commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__help__subcmd__config__subcmd__schema_commands] )) ||
_nowcheck__subcmd__help__subcmd__config__subcmd__schema_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck help config schema commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__help__subcmd__help_commands] )) ||
_nowcheck__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck help help commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__help__subcmd__report_commands] )) ||
_nowcheck__subcmd__help__subcmd__report_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck help report commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__help__subcmd__watch_commands] )) ||
_nowcheck__subcmd__help__subcmd__watch_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck help watch commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__report_commands] )) ||
_nowcheck__subcmd__report_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck report commands' commands "$@"
}
(( $+functions[_nowcheck__subcmd__watch_commands] )) ||
_nowcheck__subcmd__watch_commands() {
    local commands; commands=()
    _describe -t commands 'nowcheck watch commands' commands "$@"
}

if [ "$funcstack[1]" = "_nowcheck" ]; then
    _nowcheck "$@"
else
    compdef _nowcheck nowcheck
fi
