//! The flags by which monitoring plugins name what to check: an alternative to a URL.

use anyhow::{anyhow, ensure};
use clap::Args;

use super::heading::TARGET;

/// `-H`, `-p`, `-S` and `-u`, as `check_http` has them.
#[derive(Debug, Clone, Args)]
pub(crate) struct PluginArguments {
    /// Check this host (a name or an address) instead of a URL, as monitoring plugins do. See also --output nagios.
    #[arg(short = 'H', long, value_name = "HOST", help_heading = TARGET)]
    hostname: Option<String>,

    /// The port of -H. Default: 80, or 443 with -S.
    #[arg(short = 'p', long, value_name = "PORT", help_heading = TARGET)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,

    /// Connect to -H over TLS (https).
    #[arg(short = 'S', long, visible_alias = "tls", help_heading = TARGET)]
    ssl: bool,

    /// The path on -H, with its query; `/` is the root. Default: /now, or / with --field header:NAME.
    #[arg(short = 'u', long = "url", value_name = "PATH", help_heading = TARGET)]
    path: Option<String>,
}

impl PluginArguments {
    /// What is to be checked: the URLs, or the one that these flags name.
    ///
    /// # Errors
    /// When both are there, or a flag does not fit the others.
    pub(crate) fn urls(&self, urls: &[String]) -> anyhow::Result<Vec<String>> {
        let Some(host) = &self.hostname else {
            let alone = [("-p", self.port.is_some()), ("-S", self.ssl), ("-u", self.path.is_some())];
            return match alone.into_iter().find(|(_, is_given)| *is_given) {
                Some((flag, _)) => Err(anyhow!(
                    "{flag} goes with -H HOST; a URL already has a scheme, port and path (https://HOST:PORT/PATH)"
                )),
                None => Ok(urls.to_vec()),
            };
        };
        ensure!(urls.is_empty(), "-H {host} and a URL are both given; leave one out");
        ensure!(!host.is_empty(), "-H: the name of the host is empty");
        ensure!(
            !host.contains(['/', '?', '#', '@']),
            "-H {host}: write a host, such as time.example; give a URL without -H"
        );
        Ok(vec![self.url(host)?])
    }

    fn url(&self, host: &str) -> anyhow::Result<String> {
        let scheme = if self.ssl { "https" } else { "http" };
        let path = self.path.as_deref().unwrap_or_default();
        ensure!(!path.contains("://"), "-u {path}: write the path alone, or the whole URL without -H and -u");
        // In a URL a lone slash is no path, as in one that was copied from a browser. Here it was typed as one.
        let path = if path == "/" { "/." } else { path };
        let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
        let host = in_brackets(host);
        let has_port = host.rsplit(']').next().is_some_and(|rest| rest.contains(':'));
        let port = match self.port {
            Some(port) if has_port => {
                return Err(anyhow!("-H {host} has a port, and -p {port} is another; leave one out"));
            }
            Some(port) => format!(":{port}"),
            None => String::new(),
        };
        Ok(format!("{scheme}://{host}{port}{slash}{path}"))
    }
}

/// An IPv6 address stands in brackets in a URL (RFC 3986), and its zone is escaped (RFC 6874).
fn in_brackets(host: &str) -> String {
    let is_bare_address = host.matches(':').count() > 1 && !host.starts_with('[');
    let host = if is_bare_address { format!("[{host}]") } else { host.to_owned() };
    if host.contains('%') && !host.contains("%25") { host.replace('%', "%25") } else { host }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        urls: Vec<String>,
        #[command(flatten)]
        plugin: PluginArguments,
    }

    fn urls(arguments: &[&str]) -> anyhow::Result<Vec<String>> {
        let line = Line::try_parse_from(["nowcheck"].iter().chain(arguments))?;
        line.plugin.urls(&line.urls)
    }

    #[test]
    fn the_flags_of_plugins_name_a_url() {
        for (arguments, url) in [
            (&["-H", "time.example"][..], "http://time.example"),
            (&["-H", "time.example", "-p", "8080"], "http://time.example:8080"),
            (&["-H", "time.example", "-S"], "https://time.example"),
            (
                &["-H", "time.example", "--tls", "-p", "8443", "-u", "/v1?a=b"],
                "https://time.example:8443/v1?a=b",
            ),
            (&["-H", "time.example", "-u", "v1"], "http://time.example/v1"),
            (&["-H", "time.example", "-u", "/"], "http://time.example/."),
            (&["-H", "time.example:81"], "http://time.example:81"),
            (&["-H", "192.0.2.1", "-p80"], "http://192.0.2.1:80"),
            (&["-H", "2001:db8::1", "-p", "80"], "http://[2001:db8::1]:80"),
            (&["-H", "::1"], "http://[::1]"),
            (&["-H", "[::1]", "-p", "80"], "http://[::1]:80"),
            (&["-H", "fe80::1%eth0"], "http://[fe80::1%25eth0]"),
            (&["-H", "[fe80::1%25eth0]:80"], "http://[fe80::1%25eth0]:80"),
        ] {
            assert_eq!(urls(arguments).unwrap(), [url], "{arguments:?}");
        }
        assert_eq!(urls(&["http://a", "http://b"]).unwrap(), ["http://a", "http://b"]);
    }

    #[test]
    fn flags_that_do_not_fit_together_are_named() {
        for (arguments, words) in [
            (&["http://a", "-H", "b"][..], "-H b and a URL are both given"),
            (&["http://a", "-p", "80"], "-p goes with -H HOST"),
            (&["http://a", "-S"], "-S goes with -H HOST"),
            (&["http://a", "-u", "/now"], "-u goes with -H HOST"),
            (&["-H", "http://a"], "give a URL without -H"),
            (&["-H", "a/now"], "give a URL without -H"),
            (&["-H", "me:secret@a"], "give a URL without -H"),
            (&["-H", ""], "-H: the name of the host is empty"),
            (&["-H", "a:80", "-p", "81"], "leave one out"),
            (&["-H", "a", "-u", "http://a/now"], "write the path alone"),
            (&["-H", "a", "-p", "0"], "65535"),
            (&["-H", "a", "-H", "b"], "multiple times"),
        ] {
            let error = urls(arguments).unwrap_err().to_string();
            assert!(error.contains(words), "{arguments:?}: {error}");
        }
    }
}
