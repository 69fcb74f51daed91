//! Files on their way to a stage: S3, Azure, GCS, or a folder of a stand-in.

use std::path::Path;

use bytes::BytesMut;
use object_store::aws::AmazonS3Builder;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{Certificate, ClientOptions, ObjectStore, ObjectStoreExt, WriteMultipart};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::error::{ApiError, broken};
use crate::wire::StageInfo;

/// The part of a file that is in memory; S3 takes none below 5 MiB but the last.
const PART: usize = 6 << 20;

/// Uploads a file under its own name.
///
/// `authorities` are trusted beside the system's, in PEM.
pub(crate) async fn upload(
    http: &reqwest::Client,
    authorities: &[u8],
    info: &StageInfo,
    file: &Path,
) -> Result<(), ApiError> {
    let name = file.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| broken("a file has no name"))?;
    if let Some(url) = info.presigned_url.as_deref().filter(|url| !url.is_empty()) {
        return put_presigned(http, url, file).await;
    }
    if info.location_type == "LOCAL_FS" {
        return copy(&info.location, name, file).await;
    }
    let (bucket, folder) = info.location.split_once('/').unwrap_or((&info.location, ""));
    let store = store(info, bucket, authorities)?;
    let path = object_store::path::Path::from(format!("{}/{name}", folder.trim_end_matches('/')));
    send(&*store, &path, file).await
}

fn away(what: impl std::fmt::Display) -> ApiError {
    ApiError::Unavailable {
        what: format!("the upload to the stage failed: {what}"),
    }
}

async fn copy(folder: &str, name: &str, file: &Path) -> Result<(), ApiError> {
    tokio::fs::create_dir_all(folder).await.map_err(away)?;
    tokio::fs::copy(file, Path::new(folder).join(name))
        .await
        .map_err(away)?;
    Ok(())
}

async fn put_presigned(http: &reqwest::Client, url: &str, file: &Path) -> Result<(), ApiError> {
    let opened = File::open(file).await.map_err(away)?;
    let length = opened.metadata().await.map_err(away)?.len();
    let parts = futures::stream::try_unfold(opened, |mut opened| async {
        let next = part(&mut opened).await?;
        Ok::<_, ApiError>((!next.is_empty()).then(|| (next.freeze(), opened)))
    });
    let body = reqwest::Body::wrap_stream(parts);
    let request = http.put(url).header(reqwest::header::CONTENT_LENGTH, length).body(body);
    let reply = request.send().await.map_err(|error| away(error.without_url()))?;
    match reply.status().is_success() {
        true => Ok(()),
        false => Err(away(format!("HTTP {}", reply.status().as_u16()))),
    }
}

fn store(info: &StageInfo, bucket: &str, authorities: &[u8]) -> Result<Box<dyn ObjectStore>, ApiError> {
    let credential = |name: &str| info.credential(name).unwrap_or_default();
    let end_point = info.end_point.as_deref().filter(|end_point| !end_point.is_empty());
    let options = |end_point: &str| options(end_point, authorities);
    let unusable = |error: object_store::Error| broken(format!("the stage cannot be used: {error}"));
    match info.location_type.as_str() {
        "S3" => {
            let mut builder = AmazonS3Builder::new()
                .with_bucket_name(bucket)
                .with_region(info.region.as_deref().unwrap_or("us-east-1"))
                .with_access_key_id(credential("AWS_KEY_ID"))
                .with_secret_access_key(credential("AWS_SECRET_KEY"))
                .with_token(credential("AWS_TOKEN"))
                .with_virtual_hosted_style_request(end_point.is_none())
                .with_client_options(options(end_point.unwrap_or_default())?);
            if let Some(end_point) = end_point {
                builder = builder.with_endpoint(address(end_point));
            }
            builder.build().map(|store| Box::new(store) as _).map_err(unusable)
        }
        "AZURE" => {
            let account = info.storage_account.as_deref().unwrap_or_default();
            let host = end_point.unwrap_or("blob.core.windows.net");
            let mut builder = MicrosoftAzureBuilder::new()
                .with_account(account)
                .with_container_name(bucket)
                .with_config(AzureConfigKey::SasKey, credential("AZURE_SAS_TOKEN"))
                .with_client_options(options(host)?);
            if host.starts_with("http://") {
                builder = builder.with_endpoint(format!("{host}/{account}"));
            } else if host != "blob.core.windows.net" {
                builder = builder.with_endpoint(format!("https://{account}.{host}"));
            }
            builder.build().map(|store| Box::new(store) as _).map_err(unusable)
        }
        "GCS" => {
            let mut builder = GoogleCloudStorageBuilder::new()
                .with_bucket_name(bucket)
                .with_bearer_token(credential("GCS_ACCESS_TOKEN"))
                .with_client_options(options(end_point.unwrap_or_default())?);
            if let Some(end_point) = end_point {
                builder = builder.with_base_url(&address(end_point));
            }
            builder.build().map(|store| Box::new(store) as _).map_err(unusable)
        }
        other => Err(broken(format!("stages of type `{other}` are not known"))),
    }
}

/// A host alone is reached over TLS; only tests name a scheme.
fn address(end_point: &str) -> String {
    match end_point.contains("://") {
        true => end_point.to_owned(),
        false => format!("https://{end_point}"),
    }
}

fn options(end_point: &str, authorities: &[u8]) -> Result<ClientOptions, ApiError> {
    let mut options = ClientOptions::new().with_allow_http(end_point.starts_with("http://"));
    let authorities = Certificate::from_pem_bundle(authorities);
    for authority in authorities.map_err(|error| broken(format!("`ca_file` cannot be used: {error}")))? {
        options = options.with_root_certificate(authority);
    }
    Ok(options)
}

/// Sends a small file in one request, a large one in parts.
async fn send(store: &dyn ObjectStore, path: &object_store::path::Path, file: &Path) -> Result<(), ApiError> {
    let mut opened = File::open(file).await.map_err(away)?;
    let length = opened.metadata().await.map_err(away)?.len();
    if length <= PART as u64 {
        let whole = part(&mut opened).await?;
        store.put(path, whole.freeze().into()).await.map_err(away)?;
        return Ok(());
    }
    let upload = store.put_multipart(path).await.map_err(away)?;
    let mut parts = WriteMultipart::new_with_chunk_size(upload, PART);
    loop {
        let next = part(&mut opened).await?;
        if next.is_empty() {
            break;
        }
        parts.wait_for_capacity(1).await.map_err(away)?;
        parts.put(next.freeze());
    }
    parts.finish().await.map_err(away)?;
    Ok(())
}

/// The next part of a file; empty at its end.
async fn part(file: &mut File) -> Result<BytesMut, ApiError> {
    let mut part = BytesMut::with_capacity(PART);
    while part.len() < PART {
        let room = (PART - part.len()) as u64;
        if (&mut *file).take(room).read_buf(&mut part).await.map_err(away)? == 0 {
            break;
        }
    }
    Ok(part)
}
