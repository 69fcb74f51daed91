//! As much of Kafka's protocol as the harness needs: is the broker ready, create a topic, grant a
//! right. Requests of versions without tagged fields, see <https://kafka.apache.org/protocol>.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::error::Error;

/// A kind of request with the version that is used of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api {
    pub(crate) key: i16,
    pub(crate) version: i16,
}

pub(crate) const FIND_COORDINATOR: Api = Api { key: 10, version: 2 };
pub(crate) const CREATE_TOPICS: Api = Api { key: 19, version: 4 };
pub(crate) const CREATE_ACLS: Api = Api { key: 30, version: 1 };

/// A request under construction, without its header.
#[derive(Debug, Default)]
pub(crate) struct Request(Vec<u8>);

impl Request {
    pub(crate) fn i8(mut self, value: i8) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn i16(mut self, value: i16) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn i32(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// The number of elements that follow.
    pub(crate) fn count(self, elements: usize) -> Self {
        self.i32(i32::try_from(elements).expect("a short list"))
    }

    pub(crate) fn text(self, value: &str) -> Self {
        let mut longer = self.i16(i16::try_from(value.len()).expect("a short text"));
        longer.0.extend(value.as_bytes());
        longer
    }

    #[cfg(test)]
    pub(crate) fn bytes(self, value: &[u8]) -> Self {
        let mut longer = self.count(value.len());
        longer.0.extend(value);
        longer
    }
}

/// Reads a response from its start, its header left out.
#[derive(Debug)]
pub(crate) struct Response {
    bytes: Vec<u8>,
    at: usize,
}

impl Response {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let end = self.at + N;
        let part = self.bytes.get(self.at..end).ok_or_else(too_short)?;
        self.at = end;
        Ok(part.try_into().expect("the slice has this length"))
    }

    pub(crate) fn i16(&mut self) -> Result<i16, Error> {
        self.take().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Error> {
        self.take().map(i32::from_be_bytes)
    }

    /// A text, empty where it is null.
    pub(crate) fn text(&mut self) -> Result<String, Error> {
        let Ok(length) = usize::try_from(self.i16()?) else {
            return Ok(String::new());
        };
        let end = self.at + length;
        let part = self.bytes.get(self.at..end).ok_or_else(too_short)?;
        self.at = end;
        Ok(String::from_utf8_lossy(part).into_owned())
    }

    /// An error code with the message that follows it; 0 is success.
    pub(crate) fn outcome(&mut self, what: &str) -> Result<(), Error> {
        let code = self.i16()?;
        let message = self.text()?;
        if code == 0 {
            return Ok(());
        }
        Err(Error::answer("kafka", format!("{what}: error {code} {message}")))
    }
}

fn too_short() -> Error {
    Error::answer("kafka", "a response that is too short")
}

/// Sends one request and reads its response.
pub(crate) async fn ask<S>(stream: &mut S, api: Api, request: Request) -> Result<Response, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    exchange(stream, &frame(api, &request))
        .await
        .map(|bytes| Response { bytes, at: 0 })
        .map_err(Error::io("asking a broker"))
}

/// Length, header (kind, version, correlation, no client name), body.
fn frame(api: Api, request: &Request) -> Vec<u8> {
    let body = Request::default().i16(api.key).i16(api.version).i32(1).i16(-1);
    let length = body.0.len() + request.0.len();
    let mut frame = Request::default().count(length).0;
    frame.extend(body.0);
    frame.extend(&request.0);
    frame
}

async fn exchange<S>(stream: &mut S, frame: &[u8]) -> std::io::Result<Vec<u8>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(frame).await?;
    stream.flush().await?;
    let length = usize::try_from(stream.read_i32().await?).map_err(std::io::Error::other)?;
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes.split_off(4.min(length))) // the correlation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_length_header_and_body() {
        let frame = frame(Api { key: 10, version: 2 }, &Request::default().text("g").i8(1));
        assert_eq!(frame, [0, 0, 0, 14, 0, 10, 0, 2, 0, 0, 0, 1, 255, 255, 0, 1, b'g', 1]);
    }

    #[test]
    fn a_response_is_read_in_order() {
        let bytes = vec![0, 0, 0, 9, 0, 29, 0, 2, b'n', b'o', 255, 255, 1];
        let mut response = Response { bytes, at: 0 };
        assert_eq!(response.i32().expect("a number"), 9);
        let refused = response.outcome("topic").expect_err("a refusal").to_string();
        assert!(refused.contains("topic: error 29 no"), "{refused}");
        assert_eq!(response.text().expect("a null text"), "");
        assert!(response.i16().is_err(), "one byte is left");
    }
}
