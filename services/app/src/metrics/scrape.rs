//! Requests at the private listener and their responses.

/// The whole response to a request with this head.
pub(crate) fn answer(head: &[u8], metrics: impl FnOnce() -> String) -> String {
    const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const TEXT: &str = "text/plain; charset=utf-8";
    let line = head.split(|&byte| byte == b'\r').next().and_then(|line| std::str::from_utf8(line).ok());
    let parts: Vec<&str> = line.unwrap_or_default().split(' ').collect();
    let (status, media_type, body) = match parts[..] {
        [method, target, version] if version.starts_with("HTTP/1.") => {
            match (method, target.split('?').next()) {
                ("GET" | "HEAD", Some("/metrics")) => ("200 OK", METRICS, metrics()),
                (_, Some("/metrics")) => ("405 Method Not Allowed", TEXT, "use GET\n".to_owned()),
                _ => {
                    let advice =
                        "nothing but /metrics is at --admin-listen; everything else is at --listen\n";
                    ("404 Not Found", TEXT, advice.to_owned())
                }
            }
        }
        _ => ("400 Bad Request", TEXT, "this is HTTP/1.1: ask for GET /metrics\n".to_owned()),
    };
    let allow = if status.starts_with("405") { "allow: GET, HEAD\r\n" } else { "" };
    let length = body.len();
    let body = if parts[0] == "HEAD" { "" } else { &body };
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\ncache-control: \
         no-store\r\n{allow}connection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_all_that_there_is() {
        for (line, status) in [
            ("GET /metrics HTTP/1.1", "200 OK"),
            ("GET /metrics?name=x HTTP/1.0", "200 OK"),
            ("HEAD /metrics HTTP/1.1", "200 OK"),
            ("POST /metrics HTTP/1.1", "405 Method Not Allowed"),
            ("GET /now HTTP/1.1", "404 Not Found"),
            ("GET /metrics", "400 Bad Request"),
            ("GET  /metrics HTTP/1.1", "400 Bad Request"),
            ("PRI * HTTP/2.0", "400 Bad Request"),
            ("", "400 Bad Request"),
        ] {
            let head = format!("{line}\r\nHost: a\r\n\r\n");
            let answer = answer(head.as_bytes(), || "# EOF\n".to_owned());
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{line}: {answer}");
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.ends_with("connection: close"), "{head}");
            let is_whole = head.contains(&format!("content-length: {}\r\n", body.len()));
            assert_eq!(is_whole, !line.starts_with("HEAD"), "{head}");
        }
    }
}
