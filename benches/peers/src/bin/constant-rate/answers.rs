use anyhow::{Context as _, bail};

/// The length of the first answer in `received`, head and body; none if it has not arrived as a whole.
///
/// # Errors
///
/// The answer is not a 200, or has no `Content-Length`.
pub fn first_answer(received: &[u8]) -> anyhow::Result<Option<usize>> {
    let mut length: Option<usize> = None;
    let mut position = 0;
    while let Some(line) = received[position..].iter().position(|byte| *byte == b'\n') {
        let (begin, end) = (position, position + line + 1);
        let line = received[begin..end].trim_ascii_end();
        position = end;
        if begin == 0 {
            if !line.starts_with(b"HTTP/1.1 200") {
                bail!("the server answers {}", String::from_utf8_lossy(line));
            }
        } else if line.is_empty() {
            let whole = end + length.context("an answer has no Content-Length")?;
            return Ok((received.len() >= whole).then_some(whole));
        } else if let Some(value) = content_length(line) {
            length = Some(str::from_utf8(value)?.parse()?);
        }
    }
    Ok(None)
}

fn content_length(line: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"content-length:";
    let (name, value) = line.split_at_checked(NAME.len())?;
    name.eq_ignore_ascii_case(NAME).then(|| value.trim_ascii())
}

#[cfg(test)]
mod tests;
