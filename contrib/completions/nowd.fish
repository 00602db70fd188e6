# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_nowd_global_optspecs
    string join \n listen= threads= admin-listen= max-connections= max-head-bytes= max-headers= head-timeout= idle-timeout= max-clock-error= clock-source= clock-bound= drain-delay= log= access-log metrics= metrics-environment= h/help V/version
end

function __fish_nowd_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_nowd_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_nowd_using_subcommand
    set -l cmd (__fish_nowd_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c nowd -n "__fish_nowd_needs_command" -l listen -d 'Address and port to listen on; repeat it for several, or separate them by commas' -r
complete -c nowd -n "__fish_nowd_needs_command" -l threads -d 'Threads that serve requests, each on a core of its own if possible [default: one for each core]' -r
complete -c nowd -n "__fish_nowd_needs_command" -l admin-listen -d 'Serve Prometheus /metrics at this private address and port' -r
complete -c nowd -n "__fish_nowd_needs_command" -l max-connections -d 'The most connections at a time; further ones get 503, except for /healthz and /readyz' -r
complete -c nowd -n "__fish_nowd_needs_command" -l max-head-bytes -d 'The longest head of a request in bytes; longer ones get 431' -r
complete -c nowd -n "__fish_nowd_needs_command" -l max-headers -d 'The most headers of a request; more get 431' -r
complete -c nowd -n "__fish_nowd_needs_command" -l head-timeout -d 'How long the head of a request may take to arrive; after at most one second more, the connection is closed' -r
complete -c nowd -n "__fish_nowd_needs_command" -l idle-timeout -d 'How long a connection may stay without a request, or with an answer that its client does not read' -r
complete -c nowd -n "__fish_nowd_needs_command" -l max-clock-error -d 'Not ready (/readyz answers 503) while the bound on the clock\'s error exceeds this or is unknown' -r
complete -c nowd -n "__fish_nowd_needs_command" -l clock-source -d 'Where the bound on the clock\'s error comes from [default: clock-bound with --clock-bound, else kernel]' -r -f -a "kernel\t'The kernel of this machine'
clock-bound\t'ClockBound, at --clock-bound or in /var/run/clockbound'
ecs-metadata\t'The task metadata endpoint of Amazon ECS (version 4), which states a bound on Fargate'"
complete -c nowd -n "__fish_nowd_needs_command" -l clock-bound -d 'Read the bound on the clock\'s error from ClockBound at this path' -r -F
complete -c nowd -n "__fish_nowd_needs_command" -l drain-delay -d 'How long to keep serving after SIGTERM' -r
complete -c nowd -n "__fish_nowd_needs_command" -l log -d 'The format of log lines on standard error' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c nowd -n "__fish_nowd_needs_command" -l metrics -d 'Write a line of metrics to standard output once a minute: clock error, requests, durations' -r -f -a "emf\t'Amazon\'s embedded metric format'"
complete -c nowd -n "__fish_nowd_needs_command" -l metrics-environment -d 'The dimension `Environment` of those metrics, which names the deployment' -r
complete -c nowd -n "__fish_nowd_needs_command" -l access-log -d 'Write one JSON object per request to standard output'
complete -c nowd -n "__fish_nowd_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nowd -n "__fish_nowd_needs_command" -s V -l version -d 'Print version'
complete -c nowd -n "__fish_nowd_needs_command" -f -a "healthcheck" -d 'Check whether the nowd of this machine is alive; exit with 0 if it is, else with 1'
complete -c nowd -n "__fish_nowd_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nowd -n "__fish_nowd_using_subcommand healthcheck" -l listen -d 'Address and port to listen on; repeat it for several, or separate them by commas' -r
complete -c nowd -n "__fish_nowd_using_subcommand healthcheck" -l ready -d 'Check whether it is ready, not only alive'
complete -c nowd -n "__fish_nowd_using_subcommand healthcheck" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nowd -n "__fish_nowd_using_subcommand help; and not __fish_seen_subcommand_from healthcheck help" -f -a "healthcheck" -d 'Check whether the nowd of this machine is alive; exit with 0 if it is, else with 1'
complete -c nowd -n "__fish_nowd_using_subcommand help; and not __fish_seen_subcommand_from healthcheck help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
