//! One connection to one endpoint of etcd, and the calls that are made on it, each bounded in time.
//!
//! The client balances over endpoints without failing over, and its token does not heal a watch: so a connection has one
//! endpoint, and a lost one is replaced by a new one, with a new token.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use etcd_client::proto::PbKeyValue;
use etcd_client::{
    Certificate, Client, ConnectOptions, DeleteOptions, GetOptions, GetResponse, Identity,
    KvClient, LeaseClient, PutOptions, TlsOptions, Txn, TxnResponse, WatchClient, WatchOptions,
    WatchRequestSender, WatchResponseStream,
};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::Settings;
use super::broken::Broken;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(2);
/// How long an answer may take. A hung etcd is noticed earlier, by its silence.
const CALL: Duration = Duration::from_secs(10);
/// When etcd has been silent this long while something is asked of it, it is pinged.
const PING: Duration = Duration::from_secs(2);
/// How long the ping's answer may take.
const PONG: Duration = Duration::from_secs(2);
/// How many keys are listed at once.
const PAGE: i64 = 1_000;
/// How many of several reads are under way at once.
const AT_ONCE: usize = 16;
/// The largest message that is taken: what etcd itself can send. The default of 4 MB is less than a page can have.
const MESSAGE: usize = i32::MAX as usize;

/// What a read found.
pub(super) struct Found {
    pub(super) cluster: u64,
    pub(super) term: u64,
    /// The store's revision at that time.
    pub(super) revision: i64,
    pub(super) values: Vec<PbKeyValue>,
    /// There are more values than were asked for.
    pub(super) more: bool,
}

/// A connection that has been made at least once. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connection {
    kv: KvClient,
    watch: WatchClient,
    lease: LeaseClient,
}

impl Connection {
    /// Connects, and logs in where there is a user.
    pub(super) async fn open(settings: &Settings, endpoint: &str) -> Result<Self, Broken> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CONNECT)
            .with_keep_alive(PING, PONG)
            .with_keep_alive_while_idle(false)
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if let Some((name, password)) = &settings.user {
            options = options.with_user(name, password);
        }
        if endpoint.starts_with("https://") {
            options = options.with_tls(tls(settings).await?);
        }
        let client = within(Client::connect([endpoint], Some(options))).await?;
        Ok(Self {
            kv: client.kv_client().max_decoding_message_size(MESSAGE),
            watch: client.watch_client().max_decoding_message_size(MESSAGE),
            lease: client.lease_client(),
        })
    }

    /// A page of the keys in a range, as they are now or were at a revision.
    pub(super) async fn page(
        &self,
        range: Range<Vec<u8>>,
        revision: Option<i64>,
    ) -> Result<Found, Broken> {
        let options = GetOptions::new()
            .with_range(range.end)
            .with_limit(PAGE)
            .with_revision(revision.unwrap_or_default());
        found(within(self.kv.clone().get(range.start, Some(options))).await?)
    }

    /// The keys in a range, as the options say.
    pub(super) async fn get(
        &self,
        range: Range<Vec<u8>>,
        options: GetOptions,
    ) -> Result<Found, Broken> {
        let options = options.with_range(range.end);
        found(within(self.kv.clone().get(range.start, Some(options))).await?)
    }

    /// Deletes all keys in a range.
    pub(super) async fn delete(&self, range: Range<Vec<u8>>) -> Result<(), Broken> {
        let options = DeleteOptions::new().with_range(range.end);
        within(self.kv.clone().delete(range.start, Some(options))).await?;
        Ok(())
    }

    /// One key as it is now or was at a revision.
    pub(super) async fn at(&self, key: &str, revision: Option<i64>) -> Result<Found, Broken> {
        let options = GetOptions::new().with_revision(revision.unwrap_or_default());
        found(within(self.kv.clone().get(key, Some(options))).await?)
    }

    /// Writes a key that ends with a lease, and tells the revision.
    pub(super) async fn put(&self, key: String, value: Vec<u8>, lease: i64) -> Result<i64, Broken> {
        let options = PutOptions::new().with_lease(lease);
        let response = within(self.kv.clone().put(key, value, Some(options))).await?;
        let header = response.0.header.ok_or(Broken::Malformed("header"))?;
        Ok(header.revision)
    }

    /// Several reads as of one moment, in their order, and the revision of that.
    ///
    /// Not a transaction: before 3.5.5 etcd ends where a transaction that only reads is cancelled, as by somebody who
    /// hangs up (etcd-io/etcd#14110).
    pub(super) async fn together(
        &self,
        reads: &[(Vec<u8>, GetOptions)],
    ) -> Result<(i64, Vec<Found>), Broken> {
        loop {
            match self.at_one_revision(reads).await {
                // Somebody has compacted between the first and the last.
                Err(broken) if broken.history_is_gone() => {}
                read => return read,
            }
        }
    }

    async fn at_one_revision(
        &self,
        reads: &[(Vec<u8>, GetOptions)],
    ) -> Result<(i64, Vec<Found>), Broken> {
        let mut reads = reads.iter().cloned();
        let Some((key, options)) = reads.next() else {
            return Ok((0, Vec::new()));
        };
        let first = self.clone().read(key, options).await?;
        let revision = first.revision;
        let rest = reads.map(|(key, options)| {
            let etcd = self.clone();
            etcd.read(key, options.with_revision(revision))
        });
        let rest: Vec<_> = stream::iter(rest).buffered(AT_ONCE).try_collect().await?;
        Ok((revision, std::iter::once(first).chain(rest).collect()))
    }

    async fn read(mut self, key: Vec<u8>, options: GetOptions) -> Result<Found, Broken> {
        found(within(self.kv.get(key, Some(options))).await?)
    }

    /// Several changes at once, if what they rest on is so.
    pub(super) async fn transact(&self, txn: Txn) -> Result<TxnResponse, Broken> {
        within(self.kv.clone().txn(txn)).await
    }

    /// A lease that ends by itself after so many seconds.
    pub(super) async fn grant(&self, ttl: i64) -> Result<i64, Broken> {
        Ok(within(self.lease.clone().grant(ttl, None)).await?.id())
    }

    /// Makes a lease last; whether it was there still.
    pub(super) async fn keep_alive(&self, lease: i64) -> Result<bool, Broken> {
        match within(self.lease.clone().keep_alive(lease)).await {
            Ok(_) => Ok(true),
            Err(Broken::Etcd(etcd_client::Error::LeaseKeepAliveError(_))) => Ok(false),
            Err(broken) => Err(broken),
        }
    }

    /// Ends a lease, and what was written under it.
    pub(super) async fn revoke(&self, lease: i64) -> Result<(), Broken> {
        within(self.lease.clone().revoke(lease)).await?;
        Ok(())
    }

    /// Watches a range from a revision on, that included. It ends when its sender is dropped.
    pub(super) async fn watch(
        &self,
        range: Range<Vec<u8>>,
        revision: i64,
    ) -> Result<(WatchRequestSender, WatchResponseStream), Broken> {
        let options = WatchOptions::new()
            .with_range(range.end)
            .with_start_revision(revision)
            .with_progress_notify()
            .with_fragment();
        let mut client = self.watch.clone();
        let stream = within(client.watch(range.start, Some(options))).await?;
        Ok(stream.split())
    }
}

async fn within<T>(call: impl Future<Output = Result<T, etcd_client::Error>>) -> Result<T, Broken> {
    match tokio::time::timeout(CALL, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Broken::NoAnswer(CALL)),
    }
}

fn found(GetResponse(response): GetResponse) -> Result<Found, Broken> {
    let header = response.header.ok_or(Broken::Malformed("header"))?;
    Ok(Found {
        cluster: header.cluster_id,
        term: header.raft_term,
        revision: header.revision,
        values: response.kvs,
        more: response.more,
    })
}

async fn tls(settings: &Settings) -> Result<TlsOptions, Broken> {
    let ca = settings.ca.as_deref().ok_or(Broken::NoAuthority)?;
    let options = TlsOptions::new().ca_certificate(Certificate::from_pem(read(ca).await?));
    match (&settings.cert, &settings.key) {
        (Some(cert), Some(key)) => {
            let identity = Identity::from_pem(read(cert).await?, read(key).await?);
            Ok(options.identity(identity))
        }
        (None, None) => Ok(options),
        _ => Err(Broken::HalfIdentity),
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, Broken> {
    let file = |error| Broken::File {
        path: path.to_owned(),
        error,
    };
    tokio::fs::read(path).await.map_err(file)
}
