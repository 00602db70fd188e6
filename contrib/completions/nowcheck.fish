# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_nowcheck_global_optspecs
    string join \n H/hostname= p/port= S/ssl u/url= resolve= 4/ipv4 6/ipv6 follow ca-file= cert= key= insecure header= user-file= c/max-offset= w/warn-offset= field= format= zone= date-cache= reference= strict trust-system-clock expect-backends= miss-probability= connections= samples= t/timeout= every= output= v/verbose q/quiet ascii h/help V/version
end

function __fish_nowcheck_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_nowcheck_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_nowcheck_using_subcommand
    set -l cmd (__fish_nowcheck_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c nowcheck -n "__fish_nowcheck_needs_command" -s H -l hostname -d 'Check this host (a name or an address) instead of a URL, as monitoring plugins do. See also --output nagios' -r
complete -c nowcheck -n "__fish_nowcheck_needs_command" -s p -l port -d 'The port of -H. Default: 80, or 443 with -S' -r
complete -c nowcheck -n "__fish_nowcheck_needs_command" -s u -l url -d 'The path on -H, with its query; `/` is the root. Default: /now, or / with --field header:NAME' -r
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l resolve -d 'Check this address of HOST instead of the addresses in the DNS. Repeat it for several addresses' -r
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l ca-file -d 'Trust the certificate authorities in this PEM file too' -r -F
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l cert -d 'Present this client certificate if the server asks for one (PEM, followed by the certificates of its authorities). It is not sent to another server after a redirect' -r -F
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l key -d 'The private key of --cert (PEM, not encrypted)' -r -F
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l header -d 'Send this header with each request. Repeat it for several headers. It is not sent to another server after a redirect' -r
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l user-file -d 'Read Basic credentials from this file: one line, user:password. They are not sent to another server after a redirect' -r -F
complete -c nowcheck -n "__fish_nowcheck_needs_command" -s c -l max-offset -l critical -d 'A clock that is off by more than this is CRITICAL. Exactly this is OK' -r
complete -c nowcheck -n "__fish_nowcheck_needs_command" -s w -l warn-offset -l warning -d 'A clock that is not proven to be within this is a WARNING' -r
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l field -d 'Where the answer holds the time: a member of the JSON body (`a.b.c`), a JSON Pointer (`/a/b`; empty for the whole document), `header:NAME`, or `body`. Default: nowd\'s `datetime`, else `current_time`' -r
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l format -d 'The format of the time: one of the names below, or a strptime pattern such as `%d.%m.%Y %H:%M:%S`' -r -f -a "auto\t'Recognized by its look; Unix seconds, milliseconds, microseconds and nanoseconds by their size'
rfc3339\t'`2026-11-23T20:11:51.123Z`, and other dates in digits (ISO 8601)'
unix-s\t'Seconds since 1970, with or without a fraction'
unix-ms\t'Milliseconds since 1970'
unix-us\t'Microseconds since 1970'
unix-ns\t'Nanoseconds since 1970'
hms\t'`20:11:51`, a time of day; in UTC unless a zone is given'
http-date\t'`Mon, 23 Nov 2026 20:11:51 GMT`, and other dates with the name of a month'"
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l zone -d 'The time zone of times that do not state theirs, such as Europe/Madrid. In the hour that is repeated at the end of summer time, nowcheck takes the reading that is nearer to the reference' -r
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l date-cache -d 'How long the server may keep sending an old `Date` header (with `--field header:date`). Some servers renew it once a second. Use 0s if this server is known to renew it in time; otherwise it can hardly prove a limit of one second' -r
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l reference -d 'Compare with this clock: `system` (this machine\'s clock) or `ntp:HOST[:PORT]` (a time server). Repeat it for several references. More than half of them have to agree, and a note names each one that does not. Time servers are queried in each round' -r
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l expect-backends -d 'Fewer different instances than this behind a URL are CRITICAL. The answers have to name their `instance`' -r
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l miss-probability -d 'Open new connections until the chance of having missed a backend is at most this' -r
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l connections -d 'The most connections at a time. A service that accepts fewer gets fewer, down to one' -r
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l samples -d 'Requests on each connection. More requests make the bound on the offset narrower. A service that is slow, or that limits requests, gets fewer' -r
complete -c nowcheck -n "__fish_nowcheck_needs_command" -s t -l timeout -d 'The most that a whole round may take. A server that is silent for the last quarter of it counts as down. Default: 10s, or 8s with --output nagios, because NRPE gives up after 10s' -r
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l every -d 'Repeat forever, one round per DURATION. Ctrl-C prints a summary and exits with the worst status seen. At least 16s with time servers that may be somebody else\'s' -r
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l output -d 'The output format' -r -f -a "human\t'For people'
json\t'One JSON object per round, on one line'
nagios\t'One line as monitoring plugins print it, with performance data'"
complete -c nowcheck -n "__fish_nowcheck_needs_command" -s S -l ssl -l tls -d 'Connect to -H over TLS (https)'
complete -c nowcheck -n "__fish_nowcheck_needs_command" -s 4 -l ipv4 -d 'Use IPv4 addresses only, for URLs and references'
complete -c nowcheck -n "__fish_nowcheck_needs_command" -s 6 -l ipv6 -d 'Use IPv6 addresses only, for URLs and references'
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l follow -d 'Follow up to five redirects, and judge the service that they lead to'
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l insecure -d 'Do not verify certificates. Anybody on the way can then answer instead of the server. A note says so'
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l strict -d 'Take nothing on trust: UNKNOWN if nothing vouches for this machine\'s clock as the reference, or if no more than half of the references answered. --trust-system-clock does not change that'
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l trust-system-clock -d 'Take this machine\'s clock to be right, even if its kernel does not vouch for it. Use it too for a service on this machine, which has the same clock. If the kernel gives an error bound, that bound still counts'
complete -c nowcheck -n "__fish_nowcheck_needs_command" -s v -l verbose -d 'With --output nagios, print the details too, on further lines. The output for people always has them'
complete -c nowcheck -n "__fish_nowcheck_needs_command" -s q -l quiet -d 'Print nothing while the status is OK, for use from cron. With --every, print only the rounds that are not OK'
complete -c nowcheck -n "__fish_nowcheck_needs_command" -l ascii -d 'Print ASCII only: `+/- 85 us`. This is the default if the locale (`LC_ALL`, `LC_CTYPE`, `LANG`) is not UTF-8, except with --output json'
complete -c nowcheck -n "__fish_nowcheck_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nowcheck -n "__fish_nowcheck_needs_command" -s V -l version -d 'Print version'
complete -c nowcheck -n "__fish_nowcheck_needs_command" -a "check" -d 'Check once, or once per period with --every. This is the default without a command'
complete -c nowcheck -n "__fish_nowcheck_needs_command" -a "watch" -d 'Monitor services until stopped: measure, store, show and alert'
complete -c nowcheck -n "__fish_nowcheck_needs_command" -a "alert" -d 'Send a test message to an alert receiver'
complete -c nowcheck -n "__fish_nowcheck_needs_command" -a "report" -d 'Report on the history as a page, a drawing, a table or JSON. It also works while the monitor runs'
complete -c nowcheck -n "__fish_nowcheck_needs_command" -a "config" -d 'Check a configuration file, or print an example or the schema'
complete -c nowcheck -n "__fish_nowcheck_needs_command" -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -s H -l hostname -d 'Check this host (a name or an address) instead of a URL, as monitoring plugins do. See also --output nagios' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -s p -l port -d 'The port of -H. Default: 80, or 443 with -S' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -s u -l url -d 'The path on -H, with its query; `/` is the root. Default: /now, or / with --field header:NAME' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l resolve -d 'Check this address of HOST instead of the addresses in the DNS. Repeat it for several addresses' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l ca-file -d 'Trust the certificate authorities in this PEM file too' -r -F
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l cert -d 'Present this client certificate if the server asks for one (PEM, followed by the certificates of its authorities). It is not sent to another server after a redirect' -r -F
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l key -d 'The private key of --cert (PEM, not encrypted)' -r -F
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l header -d 'Send this header with each request. Repeat it for several headers. It is not sent to another server after a redirect' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l user-file -d 'Read Basic credentials from this file: one line, user:password. They are not sent to another server after a redirect' -r -F
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -s c -l max-offset -l critical -d 'A clock that is off by more than this is CRITICAL. Exactly this is OK' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -s w -l warn-offset -l warning -d 'A clock that is not proven to be within this is a WARNING' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l field -d 'Where the answer holds the time: a member of the JSON body (`a.b.c`), a JSON Pointer (`/a/b`; empty for the whole document), `header:NAME`, or `body`. Default: nowd\'s `datetime`, else `current_time`' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l format -d 'The format of the time: one of the names below, or a strptime pattern such as `%d.%m.%Y %H:%M:%S`' -r -f -a "auto\t'Recognized by its look; Unix seconds, milliseconds, microseconds and nanoseconds by their size'
rfc3339\t'`2026-11-23T20:11:51.123Z`, and other dates in digits (ISO 8601)'
unix-s\t'Seconds since 1970, with or without a fraction'
unix-ms\t'Milliseconds since 1970'
unix-us\t'Microseconds since 1970'
unix-ns\t'Nanoseconds since 1970'
hms\t'`20:11:51`, a time of day; in UTC unless a zone is given'
http-date\t'`Mon, 23 Nov 2026 20:11:51 GMT`, and other dates with the name of a month'"
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l zone -d 'The time zone of times that do not state theirs, such as Europe/Madrid. In the hour that is repeated at the end of summer time, nowcheck takes the reading that is nearer to the reference' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l date-cache -d 'How long the server may keep sending an old `Date` header (with `--field header:date`). Some servers renew it once a second. Use 0s if this server is known to renew it in time; otherwise it can hardly prove a limit of one second' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l reference -d 'Compare with this clock: `system` (this machine\'s clock) or `ntp:HOST[:PORT]` (a time server). Repeat it for several references. More than half of them have to agree, and a note names each one that does not. Time servers are queried in each round' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l expect-backends -d 'Fewer different instances than this behind a URL are CRITICAL. The answers have to name their `instance`' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l miss-probability -d 'Open new connections until the chance of having missed a backend is at most this' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l connections -d 'The most connections at a time. A service that accepts fewer gets fewer, down to one' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l samples -d 'Requests on each connection. More requests make the bound on the offset narrower. A service that is slow, or that limits requests, gets fewer' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -s t -l timeout -d 'The most that a whole round may take. A server that is silent for the last quarter of it counts as down. Default: 10s, or 8s with --output nagios, because NRPE gives up after 10s' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l every -d 'Repeat forever, one round per DURATION. Ctrl-C prints a summary and exits with the worst status seen. At least 16s with time servers that may be somebody else\'s' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l output -d 'The output format' -r -f -a "human\t'For people'
json\t'One JSON object per round, on one line'
nagios\t'One line as monitoring plugins print it, with performance data'"
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -s S -l ssl -l tls -d 'Connect to -H over TLS (https)'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -s 4 -l ipv4 -d 'Use IPv4 addresses only, for URLs and references'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -s 6 -l ipv6 -d 'Use IPv6 addresses only, for URLs and references'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l follow -d 'Follow up to five redirects, and judge the service that they lead to'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l insecure -d 'Do not verify certificates. Anybody on the way can then answer instead of the server. A note says so'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l strict -d 'Take nothing on trust: UNKNOWN if nothing vouches for this machine\'s clock as the reference, or if no more than half of the references answered. --trust-system-clock does not change that'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l trust-system-clock -d 'Take this machine\'s clock to be right, even if its kernel does not vouch for it. Use it too for a service on this machine, which has the same clock. If the kernel gives an error bound, that bound still counts'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -s v -l verbose -d 'With --output nagios, print the details too, on further lines. The output for people always has them'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -s q -l quiet -d 'Print nothing while the status is OK, for use from cron. With --every, print only the rounds that are not OK'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -l ascii -d 'Print ASCII only: `+/- 85 us`. This is the default if the locale (`LC_ALL`, `LC_CTYPE`, `LANG`) is not UTF-8, except with --output json'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand watch" -l config -d 'Watch what this file lists. `nowcheck config example` prints one with every key. With `env:NAME`, the text of the file is in the environment variable NAME' -r -F
complete -c nowcheck -n "__fish_nowcheck_using_subcommand watch" -l every -d 'Check each URL once per DURATION' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand watch" -l listen -d 'Serve the dashboard, the API and the metrics at this address' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand watch" -l history -d 'Keep the history in this file, or nowhere with `none`. Default: nowcheck.db in `$STATE_DIRECTORY`, `$XDG_STATE_HOME/nowcheck` or `~/.local/state/nowcheck`' -r -F
complete -c nowcheck -n "__fish_nowcheck_using_subcommand watch" -l log -d 'The format of log lines' -r -f -a "text\t'One line per change, for people'
json\t'One JSON object per line'"
complete -c nowcheck -n "__fish_nowcheck_using_subcommand watch" -l trust-system-clock -d 'Take this machine\'s clock to be right, even if its kernel does not vouch for it'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand alert; and not __fish_seen_subcommand_from test help" -s h -l help -d 'Print help'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand alert; and not __fish_seen_subcommand_from test help" -f -a "test" -d 'Send one test message and print the result. The exit code is 3 if the message was not accepted'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand alert; and not __fish_seen_subcommand_from test help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand alert; and __fish_seen_subcommand_from test" -l config -d 'The file that lists it, or env:NAME' -r -F
complete -c nowcheck -n "__fish_nowcheck_using_subcommand alert; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand alert; and __fish_seen_subcommand_from help" -f -a "test" -d 'Send one test message and print the result. The exit code is 3 if the message was not accepted'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand alert; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand report" -l history -d 'The history file. Default, as for `nowcheck watch`: nowcheck.db in `$STATE_DIRECTORY`, `$XDG_STATE_HOME/nowcheck` or `~/.local/state/nowcheck`' -r -F
complete -c nowcheck -n "__fish_nowcheck_using_subcommand report" -l check -d 'Report on this check only' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand report" -l since -d 'How far to look back, such as 12h, 7d, 4w or 1y' -r
complete -c nowcheck -n "__fish_nowcheck_using_subcommand report" -l output -d 'The format of the report, which goes to standard output' -r -f -a "html\t'A page that needs no network and can be printed'
svg\t'The plots as one drawing'
csv\t'One line for each check and period'
json\t'Everything as one object; its schema is contract/nowcheck-report.schema.json'"
complete -c nowcheck -n "__fish_nowcheck_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand config; and not __fish_seen_subcommand_from check schema example help" -s h -l help -d 'Print help'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand config; and not __fish_seen_subcommand_from check schema example help" -f -a "check" -d 'Check a file and print each error with its line. The exit code is 3 if there is an error'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand config; and not __fish_seen_subcommand_from check schema example help" -f -a "schema" -d 'Print the JSON Schema of the file'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand config; and not __fish_seen_subcommand_from check schema example help" -f -a "example" -d 'Print a commented file with every key'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand config; and not __fish_seen_subcommand_from check schema example help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand config; and __fish_seen_subcommand_from schema" -s h -l help -d 'Print help'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand config; and __fish_seen_subcommand_from example" -s h -l help -d 'Print help'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check a file and print each error with its line. The exit code is 3 if there is an error'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "schema" -d 'Print the JSON Schema of the file'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "example" -d 'Print a commented file with every key'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand help; and not __fish_seen_subcommand_from check watch alert report config help" -f -a "check" -d 'Check once, or once per period with --every. This is the default without a command'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand help; and not __fish_seen_subcommand_from check watch alert report config help" -f -a "watch" -d 'Monitor services until stopped: measure, store, show and alert'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand help; and not __fish_seen_subcommand_from check watch alert report config help" -f -a "alert" -d 'Send a test message to an alert receiver'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand help; and not __fish_seen_subcommand_from check watch alert report config help" -f -a "report" -d 'Report on the history as a page, a drawing, a table or JSON. It also works while the monitor runs'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand help; and not __fish_seen_subcommand_from check watch alert report config help" -f -a "config" -d 'Check a configuration file, or print an example or the schema'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand help; and not __fish_seen_subcommand_from check watch alert report config help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand help; and __fish_seen_subcommand_from alert" -f -a "test" -d 'Send one test message and print the result. The exit code is 3 if the message was not accepted'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "check" -d 'Check a file and print each error with its line. The exit code is 3 if there is an error'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "schema" -d 'Print the JSON Schema of the file'
complete -c nowcheck -n "__fish_nowcheck_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "example" -d 'Print a commented file with every key'
