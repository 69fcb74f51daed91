//! Answers on their way: headers, compression, and the faults of the wire.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request as HttpRequest, State};
use axum::http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, HOST};
use axum::http::{HeaderMap, HeaderValue, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::Shared;
use super::answer::Answer;
use super::control;
use super::fault::FaultKind;
use super::request::{Due, Request};
use super::wire::{Scissors, Wires};

/// Requests are small.
const LARGEST_REQUEST: usize = 1 << 20;
/// Below this compression is not worth it.
const SMALLEST_COMPRESSED: usize = 1_024;

/// Serves until the runtime ends.
pub(crate) async fn serve(listener: tokio::net::TcpListener, shared: Arc<Shared>) -> std::io::Result<()> {
    let service = Router::new().fallback(handle).with_state(shared);
    let service = service.into_make_service_with_connect_info::<Scissors>();
    axum::serve(Wires(listener), service).await
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: HttpRequest,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_REQUEST).await else {
        return plain(413);
    };
    let text = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
            .map(str::to_owned)
    };
    let request = Request {
        authorization: text(AUTHORIZATION),
        host: text(HOST).unwrap_or_default(),
        method: parts.method,
        uri: parts.uri,
        body: body.to_vec(),
    };
    if control::is_meant(&request) {
        return control::answer(shared, request).await;
    }
    let wants_gzip = wants_gzip(&parts.headers);
    let sent = shared.clone();
    // Rendering and compressing a page takes tens of milliseconds.
    let work = move || {
        let Due { answer, fault } = request.answer(&sent);
        (compress(answer, wants_gzip), fault)
    };
    let Ok((answer, fault)) = tokio::task::spawn_blocking(work).await else {
        return plain(500);
    };
    if let Some(FaultKind::Slow { millis }) = fault {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    if fault == Some(FaultKind::DropConnection) {
        scissors.cut();
    }
    respond(&shared, answer, fault == Some(FaultKind::TruncateBody))
}

fn plain(status: u16) -> Response<Body> {
    Response::builder()
        .status(status)
        .body(Body::empty())
        .expect("a legal status")
}

fn wants_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("gzip"))
}

fn compress(answer: Answer, wants_gzip: bool) -> Answer {
    if !wants_gzip || answer.body.len() < SMALLEST_COMPRESSED {
        return answer;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(answer.body.len() / 4), Compression::fast());
    encoder.write_all(&answer.body).expect("into memory");
    let body = encoder.finish().expect("into memory");
    Answer { body, ..answer }.header("content-encoding", "gzip")
}

fn respond(shared: &Shared, answer: Answer, truncates: bool) -> Response<Body> {
    let at = std::time::UNIX_EPOCH + Duration::from_millis(shared.clock.now_ms().unsigned_abs());
    let mut response = Response::builder()
        .status(answer.status)
        .header("content-type", answer.content_type)
        .header("date", httpdate::fmt_http_date(at))
        .header("cache-control", "max-age=0, private, must-revalidate")
        .header("x-zendesk-api-version", "v2")
        .header("zendesk-service", "classic")
        .header(
            "x-request-id",
            format!(
                "{:016x}",
                crate::ids::mix(at.elapsed().unwrap_or_default().as_nanos() as u64)
            ),
        );
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let body = if truncates {
        response = response.header(CONTENT_LENGTH, answer.body.len());
        half_of(answer.body)
    } else {
        Body::from(answer.body)
    };
    response.body(body).unwrap_or_else(|_| plain(500))
}

/// A body that ends in its middle, and with it the connection.
fn half_of(body: Vec<u8>) -> Body {
    let half = Bytes::copy_from_slice(&body[..body.len() / 2]);
    let parts = [Ok(half), Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))];
    Body::from_stream(futures::stream::iter(parts))
}
