//! HTTP/1.1 over one kept connection, with no more than the two servers need: fixed lengths, no chunks.

use anyhow::{Context, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

/// A connection and what has been read from it.
pub struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

/// What stands in front of a request's body.
pub struct Call<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub token: &'a str,
    pub kind: &'a str,
}

impl Call<'_> {
    /// The whole request.
    pub fn request(&self, body: &[u8]) -> Vec<u8> {
        let Call {
            method,
            path,
            token,
            kind,
        } = self;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: load\r\nauthorization: Bearer {token}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    }
}

impl Wire {
    pub async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            read: Vec::new(),
        })
    }

    /// Sends JSON and reads JSON.
    pub async fn ask<T: DeserializeOwned>(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let call = Call {
            method,
            path,
            token,
            kind: "application/json",
        };
        let answer = self.exchange(&call, &serde_json::to_vec(body)?).await?;
        serde_json::from_slice(answer).with_context(|| format!("the answer to {method} {path}"))
    }

    /// Sends a body and gives the answer's, which lives until the next exchange.
    pub async fn exchange(&mut self, call: &Call<'_>, body: &[u8]) -> anyhow::Result<&[u8]> {
        self.send(&call.request(body)).await
    }

    /// The same for a request that is made already.
    pub async fn send(&mut self, request: &[u8]) -> anyhow::Result<&[u8]> {
        self.stream.write_all(request).await?;
        let (status, from, to) = timeout(PATIENCE, self.answer())
            .await
            .context("a request was not answered")??;
        let body = &self.read[from..to];
        if !(200..300).contains(&status) {
            let line = request.split(|b| *b == b'\r').next().unwrap_or_default();
            bail!(
                "{} was answered {status}: {}",
                String::from_utf8_lossy(line),
                String::from_utf8_lossy(body)
            );
        }
        Ok(body)
    }

    async fn answer(&mut self) -> anyhow::Result<(u16, usize, usize)> {
        self.read.clear();
        loop {
            if let Some((status, from, length)) = head(&self.read)?
                && self.read.len() >= from + length
            {
                return Ok((status, from, from + length));
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                bail!("the server closed the connection");
            }
        }
    }
}

/// Status, where the body begins, and how long it is; `None` while the head is not whole.
fn head(bytes: &[u8]) -> anyhow::Result<Option<(u16, usize, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..end])?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse().ok())
        .context("the answer is not HTTP")?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(Ok(0), |(_, value)| value.trim().parse())?;
    Ok(Some((status, end + 4, length)))
}
