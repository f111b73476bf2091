//! URLs of buckets: which store one means, and what the environment says of it, by the names that the stores' own tools use.

use std::collections::HashMap;
use std::env;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as S3Key};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::list::PaginatedListStore;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

use super::authorities::trusting;
use super::client::{self, Connector};
use super::explain::Place;
use super::profile;
use crate::input::failure::Failure;

/// What is asked of a store.
pub(super) trait Bucket: ObjectStore + PaginatedListStore {}
impl<S: ObjectStore + PaginatedListStore> Bucket for S {}

/// What a bucket is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Use {
    /// Whoever reads asks again where that helps.
    Read,
    /// The crate asks again: only it can send a part twice.
    Write,
}

/// An object, or a pattern of some, in a bucket.
pub(super) struct Object {
    pub(super) place: Place,
    pub(super) bucket: Arc<dyn Bucket>,
    /// The URL of the bucket.
    pub(super) base: String,
    pub(super) key: String,
}

impl Object {
    /// What a URL of one of the stores' schemes means; none if it has another scheme.
    ///
    /// # Errors
    /// If it names no object, or the settings of the environment do not go together.
    pub(super) fn of(url: &str, purpose: Use) -> Option<Result<Self, Failure>> {
        let (scheme, rest) = url.split_once("://")?;
        let scheme = match scheme {
            "s3" | "s3a" => Scheme::S3,
            "gs" => Scheme::Gcs,
            "az" | "abfs" | "abfss" => Scheme::Azure,
            _ => return None,
        };
        let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
        let base = url.strip_suffix(key).unwrap_or(url).trim_end_matches('/').to_owned();
        Some(scheme.object(base, authority, key, purpose))
    }

    /// The path of its key.
    ///
    /// # Errors
    /// If no key may be like this.
    pub(super) fn path(&self) -> Result<Path, Failure> {
        Path::parse(&self.key).map_err(|error| Failure::last(format!("not the name of an object: {error}")))
    }
}

#[derive(Clone, Copy)]
enum Scheme {
    S3,
    Gcs,
    Azure,
}

impl Scheme {
    fn object(self, base: String, authority: &str, key: &str, purpose: Use) -> Result<Object, Failure> {
        if key.is_empty() || key.ends_with('/') {
            return Err(Failure::last(
                "the URL names no object: it is SCHEME://BUCKET/NAME, or a pattern such as SCHEME://BUCKET/*.rdb",
            ));
        }
        let is_plain = |name: &str| !name.is_empty() && !name.contains(['@', ':', '?', '#', '*', '[']);
        let name = match self {
            Self::Azure => authority.split_once('@').map_or(authority, |(container, _)| container),
            _ => authority,
        };
        if !is_plain(name) {
            return Err(Failure::last("the URL has no name of a bucket; credentials and patterns have no place in it"));
        }
        let (bucket, place) = opened(self, &base, authority, purpose)?;
        Ok(Object { place, bucket, base, key: key.to_owned() })
    }
}

type Opened = (Arc<dyn Bucket>, Place);

/// Opens a bucket once: its connections and tokens are used again.
fn opened(scheme: Scheme, base: &str, authority: &str, purpose: Use) -> Result<Opened, Failure> {
    static OPENED: Mutex<Option<HashMap<(String, Use), Opened>>> = Mutex::new(None);
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let opened = opened.get_or_insert_default();
    let id = (base.to_owned(), purpose);
    if let Some(known) = opened.get(&id) {
        return Ok(known.clone());
    }
    let (options, retries) = match purpose {
        Use::Read => (client::reading(), RetryConfig { max_retries: 0, ..RetryConfig::default() }),
        Use::Write => (client::writing(), RetryConfig::default()),
    };
    let bucket = match scheme {
        Scheme::S3 => s3(authority, options, retries)?,
        Scheme::Gcs => gcs(authority, options, retries)?,
        Scheme::Azure => azure(base, authority, options, retries)?,
    };
    opened.insert(id, bucket.clone());
    Ok(bucket)
}

fn s3(bucket: &str, options: ClientOptions, retries: RetryConfig) -> Result<Opened, Failure> {
    let mut builder = AmazonS3Builder::from_env();
    let has = |builder: &AmazonS3Builder, key: S3Key| builder.get_config_value(&key).is_some();
    let is_role = has(&builder, S3Key::WebIdentityTokenFile)
        || has(&builder, S3Key::ContainerCredentialsRelativeUri)
        || has(&builder, S3Key::ContainerCredentialsFullUri);
    let is_public = builder.get_config_value(&S3Key::SkipSignature).is_some_and(|skip| skip == "true");
    for (key, value) in profile::read(has(&builder, S3Key::AccessKeyId) || is_role || is_public)? {
        if !has(&builder, key) {
            builder = builder.with_config(key, value);
        }
    }
    let built = builder
        .with_bucket_name(bucket)
        .with_client_options(trusting(options)?)
        .with_retry(retries)
        .with_http_connector(Connector)
        .build();
    let bucket = built.map_err(|error| Place::S3.failure(&error))?;
    Ok((Arc::new(bucket), Place::S3))
}

fn gcs(bucket: &str, options: ClientOptions, retries: RetryConfig) -> Result<Opened, Failure> {
    let mut builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket);
    // What Google's own libraries look at.
    if let Some(host) = var("STORAGE_EMULATOR_HOST") {
        let url = if host.contains("://") { host } else { format!("http://{host}") };
        builder = builder.with_base_url(&url).with_skip_signature(true);
    }
    let built = builder.with_client_options(options).with_retry(retries).with_http_connector(Connector).build();
    let bucket = built.map_err(|error| Place::Gcs.failure(&error))?;
    Ok((Arc::new(bucket), Place::Gcs))
}

fn azure(base: &str, authority: &str, options: ClientOptions, retries: RetryConfig) -> Result<Opened, Failure> {
    let mut builder = MicrosoftAzureBuilder::from_env();
    let set = |builder: &mut MicrosoftAzureBuilder, key: AzureConfigKey, value: Option<String>| {
        if let Some(value) = value.filter(|_| builder.get_config_value(&key).is_none()) {
            *builder = std::mem::take(builder).with_config(key, value);
        }
    };
    // The names of Azure's own tools, besides those that the crate knows.
    set(&mut builder, AzureConfigKey::AccountName, var("AZURE_STORAGE_ACCOUNT"));
    set(&mut builder, AzureConfigKey::AccessKey, var("AZURE_STORAGE_KEY"));
    let connection = var("AZURE_STORAGE_CONNECTION_STRING").unwrap_or_default();
    for (name, value) in connection.split(';').filter_map(|pair| pair.split_once('=')) {
        let key = match name {
            "AccountName" => AzureConfigKey::AccountName,
            "AccountKey" => AzureConfigKey::AccessKey,
            "BlobEndpoint" => AzureConfigKey::Endpoint,
            "SharedAccessSignature" => AzureConfigKey::SasKey,
            _ => continue,
        };
        set(&mut builder, key, Some(value.to_owned()));
    }
    builder = if authority.contains('@') {
        builder.with_url(format!("{base}/"))
    } else {
        builder.with_container_name(authority)
    };
    let built = builder.with_client_options(options).with_retry(retries).with_http_connector(Connector).build();
    let bucket = built.map_err(|error| Place::Azure.failure(&error))?;
    Ok((Arc::new(bucket), Place::Azure))
}

fn var(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
