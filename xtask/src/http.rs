//! One HTTP exchange over a stream that is at hand: Docker's socket, or the registry on loopback.
//!
//! HTTP/1.0, so that the server closes the connection at the end of its answer and never sends chunks. Nothing here
//! leaves the machine, which is why there is neither TLS nor a client library to compile.

use std::io::{Read, Write};

use anyhow::{Context, bail};

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text, for an error message: the first 300 characters.
    pub fn excerpt(&self) -> String {
        String::from_utf8_lossy(&self.body)
            .trim()
            .chars()
            .take(300)
            .collect()
    }
}

/// Sends one request and reads the whole answer. Timeouts are the stream's own.
pub fn exchange(
    mut stream: impl Read + Write,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> anyhow::Result<Answer> {
    let mut head = format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let send = |stream: &mut dyn Write| {
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        stream.flush()
    };
    send(&mut stream).with_context(|| format!("{method} {path} could not be sent"))?;
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .with_context(|| format!("the answer to {method} {path} broke off"))?;
    parse(&answer).with_context(|| format!("{method} {path} got no readable answer"))
}

fn parse(answer: &[u8]) -> anyhow::Result<Answer> {
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .context("the head has no end")?;
    let head = std::str::from_utf8(&answer[..end]).context("the head is not text")?;
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let Some(status) = first
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1)?.parse().ok())
    else {
        bail!("the first line is {first:?}");
    };
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let body = answer[end + 4..].to_vec();
    let answer = Answer {
        status,
        headers,
        body,
    };
    if let Some(length) = answer.header("content-length") {
        let length: usize = length.parse().context("the length is not a number")?;
        if status != 204 && !answer.body.is_empty() && answer.body.len() != length {
            bail!("{} bytes came instead of {length}", answer.body.len());
        }
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// Answers with what it holds and keeps what it was sent.
    struct Peer {
        answer: Cursor<&'static [u8]>,
        sent: Vec<u8>,
    }

    impl Read for &mut Peer {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.answer.read(buffer)
        }
    }

    impl Write for &mut Peer {
        fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
            self.sent.write(buffer)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn peer(answer: &'static [u8]) -> Peer {
        Peer {
            answer: Cursor::new(answer),
            sent: Vec::new(),
        }
    }

    #[test]
    fn a_request_goes_out_whole_and_the_answer_comes_back() -> anyhow::Result<()> {
        let mut peer =
            peer(b"HTTP/1.1 201 Created\r\nLocation: /here\r\ncontent-length: 2\r\n\r\nok");
        let answer = exchange(&mut peer, "PUT", "/x", &[("A", "b")], b"body")?;
        assert_eq!(
            String::from_utf8_lossy(&peer.sent),
            "PUT /x HTTP/1.0\r\nHost: localhost\r\nA: b\r\nContent-Length: 4\r\n\r\nbody"
        );
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (201, b"ok".as_slice())
        );
        assert_eq!(answer.header("LOCATION"), Some("/here"));
        Ok(())
    }

    #[test]
    fn a_broken_answer_is_an_error() {
        for answer in [
            b"".as_slice(),
            b"HTTP/1.1 200 OK\r\n",
            b"SSH-2.0-OpenSSH\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        ] {
            assert!(exchange(&mut peer(answer), "GET", "/", &[], b"").is_err());
        }
    }
}
