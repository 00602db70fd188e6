#compdef nowd

autoload -U is-at-least

_nowd() {
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
'*--listen=[Address and port to listen on; repeat it for several, or separate them by commas]:ADDRESS:_default' \
'--threads=[Threads that serve requests, each on a core of its own if possible \[default\: one for each core\]]:N:_default' \
'--admin-listen=[Serve Prometheus /metrics at this private address and port]:ADDRESS:_default' \
'--max-connections=[The most connections at a time; further ones get 503, except for /healthz and /readyz]:N:_default' \
'--max-head-bytes=[The longest head of a request in bytes; longer ones get 431]:BYTES:_default' \
'--max-headers=[The most headers of a request; more get 431]:N:_default' \
'--head-timeout=[How long the head of a request may take to arrive; after at most one second more, the connection is closed]:DURATION:_default' \
'--idle-timeout=[How long a connection may stay without a request, or with an answer that its client does not read]:DURATION:_default' \
'--max-clock-error=[Not ready (/readyz answers 503) while the bound on the clock'\''s error exceeds this or is unknown]:DURATION:_default' \
'--clock-source=[Where the bound on the clock'\''s error comes from \[default\: clock-bound with --clock-bound, else kernel\]]:SOURCE:((kernel\:"The kernel of this machine"
clock-bound\:"ClockBound, at --clock-bound or in /var/run/clockbound"
ecs-metadata\:"The task metadata endpoint of Amazon ECS (version 4), which states a bound on Fargate"))' \
'--clock-bound=[Read the bound on the clock'\''s error from ClockBound at this path]:PATH:_files' \
'--drain-delay=[How long to keep serving after SIGTERM]:DURATION:_default' \
'--log=[The format of log lines on standard error]:FORMAT:((text\:"Lines for people"
json\:"One JSON object a line"))' \
'--metrics=[Write a line of metrics to standard output once a minute\: clock error, requests, durations]:FORMAT:((emf\:"Amazon'\''s embedded metric format"))' \
'--metrics-environment=[The dimension \`Environment\` of those metrics, which names the deployment]:NAME:_default' \
'--access-log[Write one JSON object per request to standard output]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
":: :_nowd_commands" \
"*::: :->nowd" \
&& ret=0
    case $state in
    (nowd)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:nowd-command-$line[1]:"
        case $line[1] in
            (healthcheck)
_arguments "${_arguments_options[@]}" : \
'*--listen=[Address and port to listen on; repeat it for several, or separate them by commas]:ADDRESS:_default' \
'--ready[Check whether it is ready, not only alive]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_nowd__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:nowd-help-command-$line[1]:"
        case $line[1] in
            (healthcheck)
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
}

(( $+functions[_nowd_commands] )) ||
_nowd_commands() {
    local commands; commands=(
'healthcheck:Check whether the nowd of this machine is alive; exit with 0 if it is, else with 1' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'nowd commands' commands "$@"
}
(( $+functions[_nowd__subcmd__healthcheck_commands] )) ||
_nowd__subcmd__healthcheck_commands() {
    local commands; commands=()
    _describe -t commands 'nowd healthcheck commands' commands "$@"
}
(( $+functions[_nowd__subcmd__help_commands] )) ||
_nowd__subcmd__help_commands() {
    local commands; commands=(
'healthcheck:Check whether the nowd of this machine is alive; exit with 0 if it is, else with 1' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'nowd help commands' commands "$@"
}
(( $+functions[_nowd__subcmd__help__subcmd__healthcheck_commands] )) ||
_nowd__subcmd__help__subcmd__healthcheck_commands() {
    local commands; commands=()
    _describe -t commands 'nowd help healthcheck commands' commands "$@"
}
(( $+functions[_nowd__subcmd__help__subcmd__help_commands] )) ||
_nowd__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'nowd help help commands' commands "$@"
}

if [ "$funcstack[1]" = "_nowd" ]; then
    _nowd "$@"
else
    compdef _nowd nowd
fi
