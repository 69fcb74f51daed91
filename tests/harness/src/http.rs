//! As much HTTP as tests need to ask a service on loopback: one request a connection, no TLS.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::Error;

/// A service that does not answer within this time counts as away.
const WITHIN: Duration = Duration::from_secs(10);

/// An answer: status code and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body, as text.
    pub body: String,
}

/// Reads `http://host:port/path`.
pub async fn http_get(url: &str) -> Result<Answer, Error> {
    http_request("GET", url, None).await
}

/// Sends a request, with a JSON body where one is given.
pub async fn http_request(method: &str, url: &str, body: Option<&str>) -> Result<Answer, Error> {
    let (host, path) = split(url).ok_or_else(|| Error::answer(url, "only http://host:port/… is understood"))?;
    let length = body.unwrap_or_default().len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAccept: */*\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{}",
        body.unwrap_or_default()
    );
    let bytes = tokio::time::timeout(WITHIN, exchange(host, &request))
        .await
        .map_err(|_| Error::Late {
            what: format!("{method} {url}"),
            within: WITHIN,
        })?
        .map_err(Error::io(format!("{method} {url}")))?;
    parse(&bytes).ok_or_else(|| Error::answer(url, "no HTTP answer"))
}

async fn exchange(host: &str, request: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(host).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://")?;
    Some(match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    })
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    let is_chunked = head
        .lines()
        .any(|line| line.to_ascii_lowercase().replace(' ', "") == "transfer-encoding:chunked");
    let body = &answer[end + 4..];
    let body = if is_chunked { join_chunks(body)? } else { body.to_vec() };
    Some(Answer {
        status,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn join_chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut joined = Vec::new();
    loop {
        let end = rest.windows(2).position(|part| part == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(joined);
        }
        let start = end + 2;
        joined.extend_from_slice(rest.get(start..start + size)?);
        rest = rest.get(start + size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answer: &str, expected: Option<(u16, &str)>) {
        let expected = expected.map(|(status, body)| Answer {
            status,
            body: body.to_owned(),
        });
        assert_eq!(parse(answer.as_bytes()), expected);
    }

    #[test]
    fn answers_are_read() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", Some((200, "hi")));
        check("HTTP/1.0 404 Not Found\r\n\r\n", Some((404, "")));
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(
            &format!("{chunked}3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n"),
            Some((200, "abcd")),
        );
        check(&format!("{chunked}9\r\nabc"), None);
        check("nonsense", None);
    }

    #[test]
    fn addresses_are_split() {
        assert_eq!(split("http://a:1/b/c"), Some(("a:1", "/b/c")));
        assert_eq!(split("http://a:1"), Some(("a:1", "/")));
        assert_eq!(split("https://a:1"), None);
    }
}
