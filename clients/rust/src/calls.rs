//! Connections with the caller's token, and errors with their google.rpc details.

use std::error::Error;
use std::future::Future;
use std::time::{Duration, Instant};

use prost::Message;
use tokio_stream::Iter;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::interceptor::InterceptedService;
use tonic::service::Interceptor;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;

const CALL: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(200);
const CHUNK_BYTES: usize = 256 * 1024;

/// A connection to a gateway that sends the caller's token.
pub type Gateway = InterceptedService<Channel, WithToken>;

/// Sends the caller's token unless the call has one of its own, as that of an event stream has.
#[derive(Clone)]
pub struct WithToken(MetadataValue<Ascii>);

impl Interceptor for WithToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if request.metadata().get("authorization").is_none() {
            request.metadata_mut().insert("authorization", self.0.clone());
        }
        Ok(request)
    }
}

/// One connection a gateway; the last argument is the file of the token.
pub fn dial(args: &[String]) -> Result<Vec<Gateway>, Box<dyn Error>> {
    let (file, addresses) = args.split_last().ok_or("no token file")?;
    let bearer = format!("Bearer {}", std::fs::read_to_string(file)?.trim()).parse::<MetadataValue<Ascii>>()?;
    let gateway = |address: &String| -> Result<Gateway, Box<dyn Error>> {
        let channel = Endpoint::from_shared(format!("http://{address}"))?.connect_lazy(); // TLS in prod
        Ok(InterceptedService::new(channel, WithToken(bearer.clone())))
    };
    addresses.iter().map(gateway).collect()
}

/// Makes a call, and makes it again where UNAVAILABLE says that one may.
pub async fn again<T, F: Future<Output = Result<Response<T>, Status>>>(call: impl Fn() -> F) -> Result<T, Status> {
    let start = Instant::now();
    loop {
        match call().await {
            Ok(reply) => return Ok(reply.into_inner()),
            Err(error) if error.code() == Code::Unavailable && start.elapsed() < CALL => {
                tokio::time::sleep(retry_after(&error)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// A payload that may be larger than one message, as the requests of a stream. Metadata says first how much will come
/// and which worlds it names.
pub fn in_chunks<R>(
    payload: &impl Message,
    worlds: &[String],
    request: fn(Vec<u8>) -> R,
) -> Result<Request<Iter<std::vec::IntoIter<R>>>, Status> {
    let body = payload.encode_to_vec();
    let chunks: Vec<R> = body.chunks(CHUNK_BYTES).map(|chunk| request(chunk.to_vec())).collect();
    let mut stream = Request::new(tokio_stream::iter(chunks));
    for (key, value) in [("x-total-bytes", body.len().to_string()), ("x-world-ids", worlds.join(","))] {
        let value = value.parse().map_err(|_| Status::invalid_argument(format!("{key} is {value}")))?;
        stream.metadata_mut().insert(key, value);
    }
    Ok(stream)
}

/// The pause an error asks for in its RetryInfo.
fn retry_after(error: &Status) -> Duration {
    error.get_details_retry_info().and_then(|info| info.retry_delay).unwrap_or(PAUSE)
}

/// An error with its details: reason, fields, pause.
pub fn describe(error: &Status) -> String {
    let mut parts = vec![format!("{:?}: {}", error.code(), error.message())];
    if let Some(info) = error.get_details_error_info() {
        parts.push(format!("reason {} {:?}", info.reason, info.metadata));
    }
    for one in error.get_details_bad_request().into_iter().flat_map(|bad| bad.field_violations) {
        parts.push(format!("field {}: {}", one.field, one.description));
    }
    if error.get_details_retry_info().is_some() {
        parts.push(format!("retry after {:?}", retry_after(error)));
    }
    parts.join("; ")
}
